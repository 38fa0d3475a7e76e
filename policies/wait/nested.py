"""Nested WAIT (Ao, Luo, Simchi-Levi, Wang; arXiv 2504.11320): WAIT without output lengths, segment by segment."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

from orsched.checks import check_whole, check_wholes
from orsched.engine.plan import IDLE, Chunk, Move, Plan
from orsched.errors import InputError
from policies.parts.pressure import preempt_until_it_fits

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


class Launch(NamedTuple):
    """A plan for the next stage, and who enters each segment with it."""

    plan: Plan
    entering: list[list[int]]


@dataclass(frozen=True, slots=True)
class Nesting:
    """The algorithm as printed: segments fire in order, up to the first whose entry is short of prompts.

    Prompts wait for segment 1 outside the memory, and for segment k >= 2 in a *boundary queue*, paused with their KV
    cache. Steps in the paper's numbering. Steps 1 and 4: arrivals and completions are the engine's; whoever has
    passed the last stage of segment k joins the boundary queue of the next. Step 2: segments ``1 .. k`` fire, with k
    the largest number such that all of them have ``n_1 .. n_k`` prompts at their entries. Step 3: the batch is the
    interior of these segments and the first ``n_k`` of each entry, which keeps at most ``n_k`` prompts in any stage.
    Step 5 (fourth version): while memory is short, the most recently admitted of the boundary queues, selected ones
    excepted, lose their KV cache and go back to the head of the waiting queue.

    How we read the paper: a boundary queue is the waiting room of the next segment's first stage and no stage of its
    own, so that a prompt takes one prefill and ``l'`` decode iterations. An evicted prompt is a new entry of segment
    1, as printed, and its stages count from there, which keeps the limits ``n_k``. The paper also takes its tokens
    away; a server has already delivered them, so here they are part of the prompt that is processed again and
    are not made twice.

    Additions of ours, neutral in the paper's setting. (a) A stage may last several iterations. (b) On finite runs,
    once nothing arrives any more, all segments fire with what they have. (c) Prompts of unequal length may not fit even
    when boundary queues are empty: newcomers then wait, and growth evicts the latest admitted of all. (d) When memory
    or seats keep the firing segments from running anything, all segments fire with what they have.

    Cohorts: ``0 .. L - 1`` are the interiors of the segments, ``L .. 2 L - 2`` the boundary queues of segments 2 .. L.

    Parameters
    ----------
    cuts : tuple of int
        ``r_1 < ... < r_L``, decode steps; the last one limits nothing.
    thresholds : tuple of int
        ``n_1 .. n_L``.
    stage_iterations : int
        Iterations per stage; it divides every cut + 1. 1 is the algorithm as printed.
    """

    cuts: tuple[int, ...]
    thresholds: tuple[int, ...]
    stage_iterations: int = 1

    def __post_init__(self) -> None:
        check_wholes(self, "cuts", least=0)
        check_wholes(self, "thresholds")
        check_whole(self, "stage_iterations")
        if len(self.cuts) != len(self.thresholds):
            raise InputError(
                f"Nesting: cuts {self.cuts} and thresholds {self.thresholds}: give one threshold per segment"
            )
        widths = [b - a for a, b in pairwise((-1, *self.cuts))]
        if min(widths) < 1 or any(width % self.stage_iterations for width in widths):
            raise InputError(
                f"Nesting: cuts {self.cuts} with stages of {self.stage_iterations} iterations: "
                "cuts must increase, and every cut + 1 be a multiple of the stage"
            )

    @property
    def cohorts(self) -> int:
        """Cohorts it needs."""
        return 2 * len(self.cuts) - 1

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one iteration, or the rest of a stage."""
        memo = view.memo
        left = memo.get("stage_ends", 0) - view.iterations
        if left > 0:
            firing: tuple[int, ...] = memo["firing"]
            for k in firing:
                if view.decoding(k):
                    return self._rest_of_stage(view, firing, left)
        if len(view.waiting) < self.thresholds[0] and not view.closed:
            return IDLE
        crossed = self._crossed(view)
        segments = len(self.cuts) if view.closed else self._prefix(view, crossed)
        launch = self._launch(view, crossed, segments)
        if not launch.plan.prefill and not self._advances(view, crossed, launch):
            launch = self._launch(view, crossed, len(self.cuts))
        memo["firing"] = launch.plan.decode
        memo["stage_ends"] = view.iterations + self.stage_iterations
        if launch.plan.preempt:
            self._forget(view, launch.plan.preempt)
        groups = self._groups(view)
        before = -1
        for k, cut in enumerate(self.cuts[:-1]):
            if launch.entering[k]:
                groups[k].append((view.clock(k) + cut - before, launch.entering[k]))
            before = cut
        return launch.plan

    def _groups(self, view: InstanceView) -> list[deque[tuple[int, list[int]]]]:
        """By segment but the last: who entered together, and its clock when they reach the cut."""
        groups: list[deque[tuple[int, list[int]]]] = view.memo.setdefault("groups", [])
        if not groups:
            groups.extend(deque() for _ in self.cuts)
        return groups

    def _crossed(self, view: InstanceView) -> list[list[int]]:
        """By segment: the prompts that have just reached its entry."""
        crossed: list[list[int]] = [[] for _ in self.cuts]
        for k, groups in enumerate(self._groups(view)):
            members, clock = view.members(k), view.clock(k)
            while groups and groups[0][0] <= clock:
                crossed[k + 1] += [request for request in groups.popleft()[1] if request in members]
        return crossed

    def _forget(self, view: InstanceView, evicted: Sequence[int]) -> None:
        """Take evicted prompts out of their groups."""
        for request in evicted:
            for _, group in chain.from_iterable(self._groups(view)):
                if request in group:
                    group.remove(request)

    def _prefix(self, view: InstanceView, crossed: Sequence[Sequence[int]]) -> int:
        """How many segments fire, the first being one: all up to the next that is short of prompts at its entry."""
        last = len(self.cuts)
        for k in range(1, last):
            if view.decoding(last + k - 1) + len(crossed[k]) < self.thresholds[k]:
                return k
        return last

    def _advances(self, view: InstanceView, crossed: Sequence[Sequence[int]], launch: Launch) -> bool:
        """Whether somebody decodes in a launch."""
        gone = [*map(len, crossed[1:]), 0]
        return any(view.decoding(k) - gone[k] + len(launch.entering[k]) > 0 for k in launch.plan.decode or ())

    def _launch(self, view: InstanceView, crossed: Sequence[Sequence[int]], segments: int) -> Launch:
        """The next stage of the first `segments` segments."""
        last = len(self.cuts)
        seats = view.max_num_seqs
        for k in range(last):
            seats -= view.decoding(k) - len(crossed[k])
        entering: list[list[int]] = [[] for _ in self.cuts]
        moved: dict[int, int] = {}
        for k in range(1, last):
            for request in crossed[k]:
                moved[request] = last + k - 1
            if k < segments:
                entry = chain(view.members(last + k - 1), crossed[k])
                entering[k] = list(islice(entry, min(self.thresholds[k], seats)))
                seats -= len(entering[k])
                for request in entering[k]:
                    moved[request] = k
        prompts = view.prompt_tokens
        chunks = [Chunk(r, prompts[r]) for r in islice(view.waiting, min(self.thresholds[0], seats))]
        need = sum([view.blocks_for(chunk.tokens) for chunk in chunks])
        firing = tuple(range(segments))
        victims: tuple[int, ...] = ()
        if need + len(view.running) > view.free_blocks:  # a resident takes one more block at most
            growth = self._growth(view, firing, moved)
            need = self._cut_down(view, chunks, moved, view.free_blocks - growth)
            victims = self._evicted(view, firing, moved, growth + need)
            for group in entering:
                group[:] = [request for request in group if request not in victims]
            for request in victims:
                moved.pop(request, None)
        entering[0] = [chunk.request for chunk in chunks]
        moves = tuple([Move(request, cohort) for request, cohort in moved.items()])
        plan = Plan(tuple(chunks), firing, victims, False, self.stage_iterations, moves=moves)
        return Launch(plan, entering)

    def _growth(self, view: InstanceView, firing: Sequence[int], moved: Mapping[int, int]) -> int:
        """Blocks that the residents of the batch take in its first iteration, once the moves are made."""
        blocks = view.growth_blocks(firing)
        for request, cohort in moved.items():
            joins, leaves = cohort in firing, view.cohort_of(request) in firing
            if joins != leaves and view.needs_block(request):
                blocks += joins - leaves
        return blocks

    def _cut_down(self, view: InstanceView, chunks: list[Chunk], moved: Mapping[int, int], free: int) -> int:
        """Drop the last newcomers that do not fit even in place of the boundary queues; blocks of those that stay."""
        blocks = [view.blocks_for(chunk.tokens) for chunk in chunks]
        if sum(blocks) > free:
            free += sum(map(view.held_blocks, self._paused(view, moved)))
            while chunks and sum(blocks) > free:
                chunks.pop()
                blocks.pop()
        return sum(blocks)

    def _paused(self, view: InstanceView, moved: Mapping[int, int]) -> list[int]:
        """Prompts in boundary queues once the moves are made, the latest admitted first."""
        return [r for r in view.latest_first() if _cohort(view, moved, r) >= len(self.cuts)]

    def _evicted(
        self, view: InstanceView, batch: Sequence[int], moved: Mapping[int, int], blocks: int
    ) -> tuple[int, ...]:
        """Whom to evict so that the batch can take `blocks`: boundary queues first, then anybody, latest first."""
        short = blocks - view.free_blocks
        if short <= 0:
            return ()
        paused = self._paused(view, moved)
        spared = next((r for r in view.running if _cohort(view, moved, r) in batch), None)
        kept = {*paused, spared}
        candidates = chain(paused, (r for r in view.latest_first() if r not in kept))
        return preempt_until_it_fits(view, candidates, short, lambda r: _cohort(view, moved, r) in batch)

    def _rest_of_stage(self, view: InstanceView, firing: tuple[int, ...], left: int) -> Plan:
        if len(view.running) > view.free_blocks:
            victims = self._evicted(view, firing, {}, view.growth_blocks(firing))
            if victims:
                self._forget(view, victims)
                return Plan((), firing, victims, False, 1)
        return Plan((), firing, (), False, left)


def _cohort(view: InstanceView, moved: Mapping[int, int], request: int) -> int:
    """Cohort of a resident once the moves are made; every prompt is processed whole, so all residents decode."""
    cohort = moved[request] if request in moved else view.cohort_of(request)
    assert cohort is not None
    return cohort
