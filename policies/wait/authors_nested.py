"""Nested WAIT as its authors' code of 2026 runs it: segments gated one by one, chunked prompts, no waiting to enter."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

from orsched.checks import check_whole, check_wholes
from orsched.engine.plan import IDLE, Chunk, Move, Plan
from orsched.errors import InputError
from policies.parts.pressure import preempt_until_it_fits, require_watermark, watermark_blocks

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView

RUNS, PAUSED = 0, 1
"""The two cohorts: those that decode in the next iteration, and those that do not."""


class CappedSegment(NamedTuple):
    """Stages ``start .. end`` and how many prompts they may hold; a prompt that has emitted e tokens is in stage e.

    Stage 0 is the prefill. Prompts in the first stage are at the entry, those in the others in the interior.
    """

    start: int
    end: int
    cap: int

    def quota(self, iteration: int) -> int:
        """Most entries of that iteration: the cap spread over the stages in turn, so that they sum to the cap."""
        stages = self.end - self.start + 1
        base, extra = divmod(self.cap, stages)
        return base + (iteration % stages < extra)

    def quota_lasts(self, iteration: int) -> int:
        """Iterations from that one on with the same quota."""
        stages = self.end - self.start + 1
        extra, place = self.cap % stages, iteration % stages
        if extra == 0:
            return sys.maxsize
        return extra - place if place < extra else stages - place


@dataclass(frozen=True, slots=True)
class GatedSegments:
    """Each segment is served when its entry holds its quota or the segment is full; admission does not wait.

    An iteration has, of each segment that is served, the whole interior and as many of its entry as the quota and the
    cap allow. Prompts follow in chunks of `chunk_tokens` each, as long as the iteration has at most `batch_tokens`:
    those in progress, then new ones, as many as the first segment's quota and cap, `total_limit` and the memory beside
    the watermark allow. Segments that are not served are paused with their KV cache.

    Differs from the algorithm as printed (`Nesting`): a segment does not depend on those before it, its interior has no
    limit per stage, and prompts do not wait for company.

    Parameters
    ----------
    ends : tuple of int
        Last stage of each segment, increasing; a longer answer stays in the last one.
    caps : tuple of int
        Most prompts in each segment, >= 1.
    total_limit : int
        ``tl``, most prompts in the system beyond the queue.
    chunk_tokens : int
        Most tokens of one prompt in an iteration.
    batch_tokens : int
        Most tokens of an iteration to which prompts may be added.
    watermark : float
        Share of the KV blocks that an admission must leave free.

    Notes
    -----
    As in the code, the first segment's cap at admission counts only the interior that the iteration leaves out. Ours:
    an iteration that would be empty is tried again with quotas of at least 1 (the code's quota rotates with every
    attempt, here with iterations), and then, if prompts wait or nothing arrives any more, with every segment served
    (the code discards what is left at the end); the watermark is waived when nothing runs, so that a lone prompt can
    start; growth that does not fit evicts the most recently admitted (the code does not check), which go on from the
    tokens they had emitted.
    """

    ends: tuple[int, ...]
    caps: tuple[int, ...]
    total_limit: int
    chunk_tokens: int
    batch_tokens: int
    watermark: float = 0.01

    def __post_init__(self) -> None:
        require_watermark(self.watermark)
        check_wholes(self, "ends", least=0)
        check_wholes(self, "caps")
        for name in ("total_limit", "chunk_tokens", "batch_tokens"):
            check_whole(self, name)
        if len(self.ends) != len(self.caps) or any(b <= a for a, b in pairwise(self.ends)):
            raise InputError(f"ends {self.ends} and caps {self.caps}: need increasing ends, and a cap for each")

    @property
    def segments(self) -> tuple[CappedSegment, ...]:
        """The segments."""
        starts = (0, *(end + 1 for end in self.ends[:-1]))
        return tuple(CappedSegment(*part) for part in zip(starts, self.ends, self.caps, strict=True))

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one iteration, or as many as are the same."""
        plan = self._iteration(view, gated=True, least=0) or self._iteration(view, gated=True, least=1)
        if plan is None and (view.waiting or view.closed):
            plan = self._iteration(view, gated=False, least=1)
        return plan or IDLE

    def _iteration(self, view: InstanceView, gated: bool, least: int) -> Plan | None:
        """The next iteration with quotas of at least `least`; None when it would be empty."""
        decoding = list(chain(view.members(PAUSED), view.members(RUNS)))
        quotas = [max(least, segment.quota(view.iterations)) for segment in self.segments]
        batch = self._decodes(view, decoding, quotas, gated)
        victims = _evicted(view, batch)
        batch = [request for request in batch if request not in victims]
        chunks = () if victims else self._chunks(view, decoding, batch, quotas[0])
        if not batch and not chunks:
            return None
        runs = set(batch)
        paused = view.members(PAUSED)
        moves = tuple(
            Move(request, RUNS if request in runs else PAUSED)
            for request in decoding
            if request not in victims and (request in paused) == (request in runs)
        )
        steps = 1 if victims else self._same_for(view, batch)
        return Plan(chunks, decode=(RUNS,), preempt=victims, max_steps=steps, moves=moves)

    def _same_for(self, view: InstanceView, batch: Sequence[int]) -> int:
        """Iterations that are as this one unless somebody arrives or leaves: no quota changes, nobody changes segment.

        What memory keeps out stays out meanwhile, since growth only takes memory.
        """
        starts = [segment.start for segment in self.segments]
        steps = min(segment.quota_lasts(view.iterations) for segment in self.segments)
        for stage in map(view.emitted_tokens, batch):
            k = bisect_left(starts, stage)
            if k < len(starts):
                steps = min(steps, max(1, starts[k] - stage))
        return steps

    def _decodes(self, view: InstanceView, decoding: Sequence[int], quotas: Sequence[int], gated: bool) -> list[int]:
        """Who decodes: of each segment that is served the entry, first come first served, and the interior."""
        segments, last = self.segments, len(self.ends) - 1
        entries: list[list[int]] = [[] for _ in segments]
        interiors: list[list[int]] = [[] for _ in segments]
        for request in decoding:
            stage = view.emitted_tokens(request)
            k = min(bisect_left(self.ends, stage), last)
            (entries if stage == segments[k].start else interiors)[k].append(request)
        batch: list[int] = []
        for k, (segment, entry, interior) in enumerate(zip(segments, entries, interiors, strict=True)):
            ready = len(entry) if k else len(view.waiting) + len(view.prefilling)
            if gated and ready < quotas[k] and ready + len(interior) < segment.cap:
                continue
            batch += entry[: min(quotas[k], max(0, segment.cap - len(interior)))] + interior
        return batch

    def _chunks(
        self, view: InstanceView, decoding: Sequence[int], batch: Sequence[int], quota: int
    ) -> tuple[Chunk, ...]:
        """Prompts in progress, then new ones."""
        tokens_left = self.batch_tokens - len(batch)
        chunks: list[Chunk] = []
        for request in view.prefilling:
            tokens = min(view.prompt_left(request), self.chunk_tokens, tokens_left)
            if tokens > 0:
                chunks.append(Chunk(request, tokens, cohort=RUNS))
                tokens_left -= tokens
        first = self.segments[0]
        left_out = sum(first.start < view.emitted_tokens(r) <= first.end for r in set(decoding) - set(batch))
        in_system = view.num_running
        seats = min(quota, first.cap - left_out, min(self.total_limit, view.max_num_seqs) - in_system)
        free = view.free_blocks - watermark_blocks(view, self.watermark) - sum(map(view.needs_block, batch))
        for request in view.waiting:
            prompt = view.prompt_tokens[request]
            free -= view.blocks_for(prompt)
            if seats <= 0 or tokens_left <= 0 or free < 0:
                break
            tokens = min(prompt, self.chunk_tokens, tokens_left)
            chunks.append(Chunk(request, tokens, prompt, RUNS))
            tokens_left -= tokens
            seats -= 1
        return tuple(chunks)


def _evicted(view: InstanceView, batch: Sequence[int]) -> tuple[int, ...]:
    """Requests to preempt, latest admitted first, until `batch` can decode once more; never the first of them."""
    short = sum(map(view.needs_block, batch)) - view.free_blocks
    others = (request for request in view.latest_first() if request not in batch[:1])
    return preempt_until_it_fits(view, others, short, batch.__contains__)
