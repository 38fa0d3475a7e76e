"""Segments, caps and token gate of Nested WAIT as the authors' code of 2026 derives them from the types' law."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from orsched.checks import check_number, check_whole
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.workloads import Workload
from policies.wait.authors_nested import GatedSegments

MOST_SEGMENTS = 1000
"""Most segments (ours)."""


@dataclass(frozen=True, slots=True)
class AuthorsNestedWait:
    """How to make Nested WAIT as in the authors' code of 2026 (Luoxiaogan/vidur_or, "general nested chunked").

    Segment k has ``n_k = n_1 prod q`` prompts a stage with ``q_k = min(p_k + margin, 0.99)``, ``p_k`` the share of
    those in segment k - 1 that go on, and ``n_1`` such that all stages together hold `total_limit`; its cap is ``n_k``
    times its stages, rounded, at least 1 (ours). The token gate is ``ceil(tl - a + a c)`` with
    ``a = tl K / (K + o)`` prompts in prefill, ``K`` chunks of ``c`` tokens a prompt and ``o`` output tokens, means over
    the workload.

    Parameters
    ----------
    total_limit : int
        ``tl``; the published grids reach from 20 to 300. The default is ours.
    segments : int
        ``L``, segments of equal width up to the longest output; published grid 1, 2, 3, 4, 5, 10, 20. Default ours.
    margin : float
        Added to each share; 0.05 in the runs on real prompts.
    chunk_tokens : int
        ``c``; 256 gives the 22 stages of the published runs with prompts of 512 and 20 output tokens.

    Raises
    ------
    InputError
        When a number is no whole number >= 1, there are too many segments, or the margin is negative.
    """

    total_limit: int = 100
    segments: int = 4
    margin: float = 0.05
    chunk_tokens: int = 256

    def __post_init__(self) -> None:
        for name in ("total_limit", "chunk_tokens"):
            check_whole(self, name)
        check_whole(self, "segments", most=MOST_SEGMENTS)
        check_number(self, "margin")

    def batcher(self, workload: Workload, edges: Sequence[int] | None = None) -> GatedSegments:
        """The batcher for the law of `workload`.

        Parameters
        ----------
        workload : Workload
            Its output lengths say how many go on from segment to segment.
        edges : sequence of int, optional
            Output tokens with which each segment ends, increasing; by default `segments` of equal width.
        """
        outputs = workload.output_tokens
        if edges is None:
            longest = int(outputs.max())
            edges = sorted({math.ceil(longest * k / self.segments) for k in range(1, self.segments + 1)})
        widths = np.diff([0, *edges])
        reach = [float((outputs > edge).mean()) for edge in (0, *edges[:-1])]
        ratios = [min(after / before + self.margin, 0.99) for before, after in pairwise(reach)]
        per_stage = np.cumprod([1.0, *ratios])
        per_stage *= self.total_limit / float(per_stage @ widths)
        caps = tuple(max(1, round(float(n) * int(width))) for n, width in zip(per_stage, widths, strict=True))
        chunks = float(np.ceil(workload.input_tokens / self.chunk_tokens).mean())
        prefilling = self.total_limit * chunks / (chunks + float(outputs.mean()))
        tokens = math.ceil(self.total_limit - prefilling + prefilling * self.chunk_tokens)
        return GatedSegments(tuple(edge - 1 for edge in edges), caps, self.total_limit, self.chunk_tokens, tokens)

    def from_law(self, workload: Workload, fleet: Fleet) -> Policy:
        """Build it for the law of `workload`; no length of a single request is used."""
        batcher = self.batcher(workload)
        return Policy(
            "nested-wait-c1",
            batcher,
            num_cohorts=2,
            settings={
                "segment_ends": list(batcher.ends),
                "segment_caps": list(batcher.caps),
                "total_limit": batcher.total_limit,
                "chunk_tokens": batcher.chunk_tokens,
                "batch_tokens": batcher.batch_tokens,
            },
            takes_transfers=False,
        )
