"""Who runs when residents and waiting requests compete by rank: seats, pauses, admissions, recomputation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from orsched.checks import check_whole, require_number
from orsched.engine.plan import Chunk, Move, Plan

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView

RUNNING, PAUSED = 0, 1
"""Cohorts: residents that decode, and residents that keep their KV cache and wait. `Policy.num_cohorts` is 2."""

Ranked = tuple[Any, int]
"""A request after its rank, which can be compared; smaller goes first."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one iteration takes.

    Parameters
    ----------
    max_num_seqs : int
        Most requests, decodes and prompts.
    max_prompt_tokens : int
        Most prompt tokens; a longer prompt goes alone, since prompts are processed whole.
    """

    max_num_seqs: int = 256
    max_prompt_tokens: int = 2048

    def __post_init__(self) -> None:
        for name in ("max_num_seqs", "max_prompt_tokens"):
            check_whole(self, name)

    def seats(self, view: InstanceView) -> int:
        """Most requests in an iteration of this instance."""
        return min(self.max_num_seqs, view.max_num_seqs)


@dataclass(frozen=True, slots=True)
class PreemptionCap:
    """How many preemptions may make room for waiting requests.

    Parameters
    ----------
    per_arrival : float
        Most preemptions for each request that has arrived, on average, those that growth forces included; 0 for none,
        infinity for no limit.
    """

    per_arrival: float = 0.0

    def __post_init__(self) -> None:
        require_number("preemption_cap", self.per_arrival, finite=False)

    def left(self, arrived: int, preempted: int) -> int:
        """Preemptions still allowed after so many arrivals and preemptions."""
        if self.per_arrival == inf or self.per_arrival * arrived >= sys.maxsize:
            return sys.maxsize
        return max(0, int(self.per_arrival * arrived) - preempted)


class Choice(NamedTuple):
    """Who does what in the next iterations.

    Parameters
    ----------
    running, paused : list of int
        Residents that decode, and those that keep their KV cache and wait; best first. Both are empty when all go on.
    chunks : tuple of Chunk
        Whole prompts of those admitted.
    preempted : list of int
        Residents that lose their KV cache, worst first.
    """

    running: list[int]
    paused: list[int]
    chunks: tuple[Chunk, ...]
    preempted: list[int]

    @property
    def admitted(self) -> list[int]:
        """Waiting requests that start."""
        return [chunk.request for chunk in self.chunks]

    def plan(self, view: InstanceView) -> Plan:
        """The plan; one iteration after which who was preempted may be in the way of others, no limit otherwise."""
        pausing = view.members(PAUSED)
        moves: tuple[Move, ...] = ()
        if pausing or self.paused:
            moves = (
                *(Move(request, RUNNING) for request in self.running if request in pausing),
                *(Move(request, PAUSED) for request in self.paused if request not in pausing),
            )
        steps = 1 if self.preempted else sys.maxsize
        return Plan(self.chunks, (RUNNING,), tuple(self.preempted), max_steps=steps, moves=moves)


def uncontended(view: InstanceView) -> bool:
    """Whether everybody in the system can run on, so that ranks do not matter."""
    if view.waiting or view.decoding(PAUSED):
        return False
    return view.num_running <= view.free_blocks or view.growth_blocks((RUNNING,)) <= view.free_blocks


def choose(
    view: InstanceView,
    rank: Callable[[int], Any],
    waiting: Iterable[Ranked],
    limits: BatchLimits,
    expendable: int = 0,
) -> Choice:
    """Give seats and memory out by rank.

    The best residents decode, as many as there are seats; the others pause and keep their KV cache. When the growth of
    those that decode does not fit, the worst residents are preempted, never the best. A waiting request starts, with
    its whole prompt, when a seat is left by all with a better rank and its prompt fits beside all residents, or beside
    those that are left without the `expendable` worst, as far as these have a worse rank. The first that cannot start
    ends admission.

    Parameters
    ----------
    view : InstanceView
        The instance; no prompt is partly processed.
    rank : callable
        Rank of a resident; asked only if ranks of residents matter.
    waiting : iterable of (rank, request)
        In ascending order; no more is read than is admitted, and one.
    limits : BatchLimits
        What an iteration takes.
    expendable : int
        How many residents, the worst first, may be preempted so that waiting requests start.
    """
    choice = None if expendable else without_ranks(view, waiting, limits)
    return by_rank(view, rank, waiting, limits, expendable) if choice is None else choice


def by_rank(
    view: InstanceView,
    rank: Callable[[int], Any],
    waiting: Iterable[Ranked],
    limits: BatchLimits,
    expendable: int = 0,
) -> Choice:
    """`choose` in general, in time proportional to the residents."""
    residents = sorted((rank(request), request) for request in view.running)
    seats = limits.seats(view)
    growth = [view.needs_block(request) for _, request in residents]
    total = [0, *accumulate(growth)]
    count = len(residents)
    free, tokens_left, better = view.free_blocks, limits.max_prompt_tokens, 0
    chunks: list[Chunk] = []
    for entry in waiting:
        while better < count and residents[better] < entry:
            better += 1
        tokens = view.prompt_tokens[entry[1]]
        left = seats - len(chunks) - 1
        if better > left or (chunks and tokens > tokens_left):
            break
        blocks = view.blocks_for(tokens)
        short = blocks + total[min(count, left)] - free
        if short > 0:
            last = range(max(better, count - expendable), count)
            if short > sum(view.held_blocks(residents[k][1]) + (k < left and growth[k]) for k in last):
                break
        chunks.append(Chunk(entry[1], tokens))
        tokens_left -= tokens
        free -= blocks
    running = min(count, seats - len(chunks))
    short = total[running] - free
    preempted: list[int] = []
    while short > 0 and (count > 1 or chunks):
        count -= 1
        request = residents[count][1]
        short -= view.held_blocks(request) + (count < running and growth[count])
        preempted.append(request)
    order = [request for _, request in residents[:count]]
    return Choice(order[:running], order[running:], tuple(chunks), preempted)


def without_ranks(view: InstanceView, waiting: Iterable[Ranked], limits: BatchLimits) -> Choice | None:
    """`choose` with no resident expendable, in time that does not grow with the residents; None if ranks matter.

    They do not while all residents have seats and memory to grow: then all go on, and waiting requests take what is
    free in their own order. They do again when a waiting request finds no seat.
    """
    seats = limits.seats(view) - view.num_running
    free = view.free_blocks - view.growth_blocks((RUNNING,))
    if seats < 0 or free < 0 or view.decoding(PAUSED):
        return None
    chunks: list[Chunk] = []
    tokens_left = limits.max_prompt_tokens
    for _, request in waiting:
        if not seats:
            return None
        tokens = view.prompt_tokens[request]
        free -= view.blocks_for(tokens)
        if free < 0 or (chunks and tokens > tokens_left):
            break
        chunks.append(Chunk(request, tokens))
        tokens_left -= tokens
        seats -= 1
    return Choice([], [], tuple(chunks), [])
