"""The token-level queue of arXiv 2504.07347 (and 2508.01002): batches of tokens, no KV limit, integer time.

A request brings prefill tokens and decode tokens. A batch holds at most so many tokens, of a request either prefill
tokens or one decode token, prefill before decode; its length depends on its number of tokens alone. What arrives while
a batch runs can be in the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

Scheduler = Callable[[Ints, Ints, int], Ints]
"""``scheduler(prefill_left, decode_left, budget) -> tokens`` of each resident in the next batch, by arrival."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch, as it starts.

    Parameters
    ----------
    start : int
        When.
    tokens : int
        Its size.
    demand : int
        Tokens that the residents could take with an unlimited budget: all prefill tokens, and one per decoding request.
    residents, decoders : int
        Requests in the system, and those of them that decode.
    arrived, served : int
        Tokens that have arrived by the start, and that earlier batches have served.
    completed : int
        Requests that earlier batches have completed.
    """

    start: int
    tokens: int
    demand: int
    residents: int
    decoders: int
    arrived: int
    served: int
    completed: int


def batches(
    arrivals: Ints, prefill: Ints, decode: Ints, scheduler: Scheduler, budget: int, batch_time: Callable[[int], int]
) -> Iterator[Batch]:
    """Run the queue until everybody is served.

    Parameters
    ----------
    arrivals : ndarray of int64, shape (n,)
        Arrival times, ascending.
    prefill, decode : ndarray of int64, shape (n,)
        Tokens of each request, >= 1.
    scheduler : callable
        Fills the batches.
    budget : int
        Most tokens of a batch.
    batch_time : callable
        Length of a batch of so many tokens, >= 1.

    Yields
    ------
    Batch
        One after the other.
    """
    prefill_left, decode_left = prefill.copy(), decode.copy()
    now = served = completed = come = 0
    inside = np.zeros(0, dtype=np.int64)
    while completed < len(arrivals):
        if not len(inside):
            now = max(now, int(arrivals[come]))
        until = int(np.searchsorted(arrivals, now, side="right"))
        inside = np.concatenate([inside, np.arange(come, until)])
        come = until
        waiting, decoding = prefill_left[inside], decode_left[inside]
        decoders = int((waiting == 0).sum())
        share = scheduler(waiting, decoding, budget)
        tokens = int(share.sum())
        arrived = int(prefill[:come].sum() + decode[:come].sum())
        yield Batch(now, tokens, int(waiting.sum()) + decoders, len(inside), decoders, arrived, served, completed)
        prefill_left[inside] -= np.where(waiting > 0, share, 0)
        decode_left[inside] -= np.where(waiting > 0, 0, share)
        done = decode_left[inside] == 0
        completed += int(done.sum())
        inside = inside[~done]
        served += tokens
        now += batch_time(tokens)


def wanted(prefill_left: Ints, decode_left: Ints) -> Ints:
    """Tokens each resident could take: the rest of its prompt, or one."""
    return np.where(prefill_left > 0, prefill_left, 1)


def filled(wants: Ints, budget: int, order: Ints) -> Ints:
    """Give each what it wants, in that order, until the budget is spent."""
    share = np.zeros_like(wants)
    before = np.cumsum(wants[order]) - wants[order]
    share[order] = np.clip(budget - before, 0, wants[order])
    return share


def decode_first(prefill_left: Ints, decode_left: Ints, budget: int) -> Ints:
    """Sarathi-Serve: every decode, then the oldest prompts in chunks."""
    return filled(wanted(prefill_left, decode_left), budget, np.argsort(prefill_left > 0, kind="stable"))


def oldest_first(prefill_left: Ints, decode_left: Ints, budget: int) -> Ints:
    """Everybody in order of arrival."""
    return filled(wanted(prefill_left, decode_left), budget, np.arange(len(prefill_left)))


def newest_first(prefill_left: Ints, decode_left: Ints, budget: int) -> Ints:
    """Everybody in reverse order of arrival."""
    return filled(wanted(prefill_left, decode_left), budget, np.arange(len(prefill_left))[::-1])


def prefill_first(prefill_left: Ints, decode_left: Ints, budget: int) -> Ints:
    """Prompts before decodes."""
    return filled(wanted(prefill_left, decode_left), budget, np.argsort(prefill_left == 0, kind="stable"))


def separate_phases(prefill_left: Ints, decode_left: Ints, budget: int) -> Ints:
    """FasterTransformer: while anybody decodes only decodes, otherwise only prompts."""
    decodes = prefill_left == 0
    chosen = decodes if decodes.any() else ~decodes
    return filled(np.where(chosen, wanted(prefill_left, decode_left), 0), budget, np.arange(len(prefill_left)))


def rad(prefill_left: Ints, decode_left: Ints, budget: int) -> Ints:
    """RAD (arXiv 2508.01002), its cycle parameter infinite; the budget is the tile.

    All decodes when a tile of them decodes or no prompt is left, otherwise one tile of the oldest prompt.
    """
    decodes = prefill_left == 0
    share = np.zeros_like(prefill_left)
    if decodes.sum() >= budget or decodes.all():
        share[decodes] = 1
        return share
    oldest = int(np.argmax(~decodes))
    share[oldest] = min(budget, int(prefill_left[oldest]))
    return share


WORK_CONSERVING: dict[str, Scheduler] = {
    "decode-first": decode_first,
    "oldest-first": oldest_first,
    "newest-first": newest_first,
    "prefill-first": prefill_first,
}
"""Fill the batch whenever the residents can."""

SCHEDULERS: dict[str, Scheduler] = WORK_CONSERVING | {"separate-phases": separate_phases, "rad": rad}


def staircase(fixed: int, per_step: int, step: int) -> Callable[[int], int]:
    """Batch time ``fixed + per_step * ceil(tokens / step)``."""
    return lambda tokens: fixed + per_step * -(-tokens // step)
