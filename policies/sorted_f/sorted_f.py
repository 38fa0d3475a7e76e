"""Sorted-F (arXiv 2508.06133) as an online policy: batches over those that wait, admitted in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from orsched.checks import check_has, check_whole
from orsched.errors import InputError
from orsched.policy import Information, Policy
from orsched.work import Ints
from policies.parts.memory_constrained import MemoryConstrained
from policies.recipe import fixed
from policies.sjf import shortest_output
from policies.sorted_f.batches import Select, batches, next_batch
from policies.sorted_f.quantile_greedy import quantile_greedy

if TYPE_CHECKING:
    from fluid.hindsight import RoundInstance
    from orsched.engine.view import InstanceView

_KEPT = "policies.sorted_f"


@dataclass(slots=True)
class _Formed:
    """Who waits: in the current batch, in the window but in no batch, and (how many) beyond the window."""

    batch: deque[int] = field(default_factory=deque)
    rest: list[int] = field(default_factory=list)
    outside: int = 0

    def __len__(self) -> int:
        return len(self.batch) + len(self.rest)


@dataclass(frozen=True, slots=True)
class FOrder:
    """Waiting requests batch by batch, shortest output first inside a batch.

    Batches are formed over a window, the first requests of the queue: anew when somebody has joined the queue, over the
    next window when all of this one have started. Each is formed only when the one before it has started: nothing that
    it depends on changes meanwhile.

    Parameters
    ----------
    select : callable
        How the batch with the least F is looked for.
    window : int
        Most waiting requests that batches are formed of: what bounds the work of a decision.
    """

    select: Select = quantile_greedy
    window: int = 128

    def __post_init__(self) -> None:
        check_has(self, "select", "a function of sizes, outputs and capacity", "__call__")
        check_whole(self, "window")

    def __call__(self, view: InstanceView) -> Iterator[int]:
        """Yield them; the caller starts each before it asks for the next."""
        formed: _Formed = view.memo.setdefault(_KEPT, _Formed())
        while formed.batch and formed.batch[0] not in view.waiting:
            formed.batch.popleft()
        if len(view.waiting) != len(formed) + formed.outside:
            formed.batch.clear()
            formed.rest, formed.outside = [], len(view.waiting)
        yield from tuple(formed.batch)
        while formed.rest or formed.outside:
            if not formed.rest:
                started = set(formed.batch)
                formed.rest = list(islice((r for r in view.waiting if r not in started), self.window))
                formed.outside -= len(formed.rest)
            chosen = [formed.rest[i] for i in self._choose(view, formed.rest)]
            formed.batch.extend(chosen)
            gone = set(chosen)
            formed.rest = [r for r in formed.rest if r not in gone]
            yield from chosen

    def _choose(self, view: InstanceView, requests: list[int]) -> list[int]:
        if len(requests) == 1:
            return [0]
        left = [view.output_tokens(r) - view.emitted_tokens(r) for r in requests]
        peaks = [view.blocks_for(view.prompt_tokens[r] + o - 1) for r, o in zip(requests, left, strict=True)]
        return next_batch(np.array(peaks), np.array(left), view.capacity_blocks, self.select)


def sorted_f(select: Select = quantile_greedy, window: int = 128, max_num_seqs: int = 256) -> Policy:
    """Sorted-F with the true output lengths, online.

    Parameters
    ----------
    select : callable
        How the batch with the least F is looked for; by default the fastest of `policies.sorted_f`.
    window : int
        Waiting requests that batches are formed of, those with the shortest outputs.
    max_num_seqs : int
        Most running requests.

    Notes
    -----
    The paper's problem is a backlog, all requests there at once; then its batches are formed once and their requests
    start in order while the memory suffices in every later round. We know the algorithm at second hand. Ours: batches
    formed anew when somebody arrives, the window, peaks in whole KV blocks, and whole prompts that share the iterations
    of the decodes.
    """
    return Policy(
        "sorted-f",
        MemoryConstrained(max_num_seqs, candidates=FOrder(select, window)),
        information=Information.ORACLE,
        order=shortest_output,
        settings={"select": getattr(select, "__name__", repr(select)), "window": window},
    )


def sorted_f_starts(instance: RoundInstance, select: Select = quantile_greedy) -> Ints:
    """Sorted-F in unit rounds, for requests that are all there at one time.

    Parameters
    ----------
    instance : RoundInstance
        What is scheduled.
    select : callable
        How the batch with the least F is looked for.

    Returns
    -------
    ndarray of int64, shape (n,)
        Start rounds: batch by batch, in order, each as soon as the memory suffices in every later round.

    Raises
    ------
    InputError
        When the requests do not arrive together.
    """
    from fluid.hindsight import scan_starts

    if (instance.arrival_rounds != instance.arrival_rounds[0]).any():
        raise InputError("sorted_f_starts: the requests must arrive together; simulate `sorted_f` when they do not")
    formed = batches(instance.prompt_tokens, instance.output_tokens, instance.memory_tokens, select)
    rank = np.empty(len(instance), dtype=np.int64)
    rank[[request for batch in formed for request in batch]] = np.arange(len(instance))
    return scan_starts(instance, rank)


RECIPES = (fixed(sorted_f, "Sorted-F: batches of least sum of outputs over squared size, quantile greedy, window 128"),)
