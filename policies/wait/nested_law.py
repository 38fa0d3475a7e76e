"""The law of output lengths as Nested WAIT uses it: where to cut, who survives a cut, how full stages are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from orsched.errors import InputError
from orsched.work import Floats, Ints
from orsched.workloads import Workload
from policies.wait.profile import ClassProfile
from policies.wait.segments import NestedSegments

_LEVELS = np.arange(1, 10) / 10
"""Cut points are taken among these quantiles of the output length."""

MOST_SEGMENTS = len(_LEVELS) + 1
"""Segments that as many cut points make."""


@dataclass(frozen=True, slots=True, eq=False)
class NestedLaw:
    """Lengths that thresholds are chosen for.

    Parameters
    ----------
    profile : ClassProfile
        All requests as one class, without a rate.
    quantiles : ndarray of int64
        Deciles of the output tokens, without repetitions and without those that nobody exceeds.
    """

    profile: ClassProfile
    quantiles: Ints

    @classmethod
    def of(cls, workload: Workload, weights: Floats | None = None) -> NestedLaw:
        """The law of a workload's lengths; `weights` of its requests count for the deciles only."""
        outputs = workload.output_tokens
        deciles = np.unique(np.quantile(outputs, _LEVELS, weights=weights, method="inverted_cdf"))
        profile = ClassProfile.of(0.0, workload.input_tokens, outputs)
        return cls(profile, deciles[deciles < outputs.max()].astype(np.int64))

    @property
    def longest_decode(self) -> int:
        """Decode steps of the longest output."""
        return len(self.profile.active) - 1

    def survivors(self, cut: int) -> float:
        """Share of the requests that goes on after decode step `cut`; -1 is before the prefill."""
        active = self.profile.active
        return float(active[cut + 1]) if cut + 1 < len(active) else 0.0

    def prompt_tokens(self, cut: int) -> float:
        """Mean prompt length of the requests that go on after decode step `cut`, of which there are some."""
        return float(self.profile.resident[cut + 1]) / self.survivors(cut) - (cut + 1)

    def cuts(self, segments: int, stage_iterations: int) -> Iterator[tuple[int, ...]]:
        """Possible cut points: quantiles, rounded to whole stages, and the longest output.

        Where lengths repeat so much that there are fewer quantiles than needed, fewer segments.
        """
        g = stage_iterations
        end = -(-(self.longest_decode + 1) // g) * g
        ticks = sorted({max(g, round(int(tokens) / g) * g) for tokens in self.quantiles})
        inner = [tick - 1 for tick in ticks if tick < end and 0 < self.survivors(tick - 1) < 1]
        for chosen in combinations(inner, min(segments - 1, len(self.quantiles))):
            shares = [self.survivors(cut) for cut in chosen]
            if all(b < a for a, b in pairwise(shares)):
                yield (*chosen, end - 1)

    def full(self, cuts: tuple[int, ...], thresholds: tuple[int, ...], stage_iterations: int) -> NestedSegments:
        """Segments as in the paper, every stage full; prompt lengths are means over those who reach the segment.

        Raises
        ------
        InputError
            When the cut points do not cover the outputs, or nobody reaches the last segment.
        """
        longest = self.longest_decode
        if cuts[-1] < longest or (len(cuts) > 1 and cuts[-2] >= longest):
            raise InputError(f"cuts {cuts}: the longest output takes {longest} decode steps; end there, and not before")
        entries = (-1, *cuts[:-1])
        survival = tuple(after / before for before, after in pairwise(map(self.survivors, entries)))
        prompts = tuple(map(self.prompt_tokens, entries))
        return NestedSegments(cuts, thresholds, survival, prompts, stage_iterations, self.profile.chunk_attention)

    def mean(self, cuts: tuple[int, ...], thresholds: tuple[int, ...], stage_iterations: int) -> NestedSegments:
        """Segments whose stages are as full as they are on average (ours)."""
        full = self.full(cuts, thresholds, stage_iterations)
        return replace(full, occupancy=self.occupancy(cuts, stage_iterations))

    def occupancy(self, cuts: Sequence[int], stage_iterations: int) -> tuple[float, ...]:
        """Mean share of the places of each segment's stages that is taken, of those who enter the segment.

        Counted at the start of a stage, and as if spread evenly over the segment: more KV tokens than the mean, as
        those who are further on are fewer.
        """
        g, active = stage_iterations, self.profile.active
        shares = []
        for start, stop in pairwise((0, *(cut + 1 for cut in cuts))):
            present = active[start:stop:g]
            shares.append(min(1.0, float(present.sum() / active[start] / ((stop - start) // g))))
        return tuple(shares)
