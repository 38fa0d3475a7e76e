"""Good schedules by searching over the order in which a list scheduler places the requests."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from fluid.hindsight.greedy import Timetable, list_schedule, mc_sf_starts
from fluid.hindsight.rounds import Ints, RoundInstance, total_latency

_FIRST_HEAT = 0.004
_LAST_HEAT = 0.0002


def constructed(instance: RoundInstance) -> Ints:
    """Return the best of MC-SF and of list schedules in several orders, shape ``(n,)``."""
    s, o, a = instance.prompt_tokens, instance.output_tokens, instance.arrival_rounds
    greedy = mc_sf_starts(instance)
    keys = (o, instance.volume, s + o, a + instance.volume / instance.memory_tokens, greedy, greedy + o)
    found = [greedy, *(list_schedule(instance, np.argsort(key, kind="stable").tolist()) for key in keys)]
    return min(found, key=lambda starts: total_latency(instance, starts))


def searched(instance: RoundInstance, budget_s: float, seed: int = 0) -> Ints:
    """Improve `constructed` by simulated annealing: move one request in the order, place the rest anew.

    Parameters
    ----------
    instance : RoundInstance
        What is scheduled.
    budget_s : float
        Time allowed, seconds.
    seed : int
        Of the moves. The result depends on the time allowed, and so on the machine.

    Returns
    -------
    ndarray of int64, shape (n,)
        A valid schedule, never worse than `constructed`.
    """
    best = constructed(instance)
    if len(instance) < 2:
        return best
    begin = time.perf_counter()
    deadline = begin + budget_s
    rng = np.random.default_rng(seed)
    walk = _Order(instance, np.argsort(best, kind="stable").tolist())
    least = total_latency(instance, best)
    while (now := time.perf_counter()) < deadline:
        done = (now - begin) / budget_s
        heat = least * _FIRST_HEAT * (_LAST_HEAT / _FIRST_HEAT) ** done
        starts, commit = walk.moved(*_move(rng, len(instance)))
        worse = int(starts.sum() - walk.starts.sum())
        if worse <= 0 or rng.random() < np.exp(-worse / heat):
            commit()
            value = total_latency(instance, starts)
            if value < least:
                best, least = starts.copy(), value
    return best


def _move(rng: np.random.Generator, n: int) -> tuple[int, int]:
    """Position taken out and position put in; short moves more often than long ones."""
    source = int(rng.integers(n))
    reach = max(1, round(n ** rng.random()))
    target = source + int(rng.integers(1, reach + 1)) * int(rng.choice((-1, 1)))
    return source, min(max(target, 0), n - 1)


class _Order:
    """An order of the requests, with the free memory before each position."""

    def __init__(self, instance: RoundInstance, order: list[int]) -> None:
        self._instance = instance
        self.order = order
        self.starts = np.full(len(instance), -1, dtype=np.int64)
        self._tables = [Timetable(instance)]
        self._tables, self.starts = self._placed(order, 0)

    def _placed(self, order: list[int], position: int) -> tuple[list[Timetable], Ints]:
        """Tables before each position and starts, with everything from `position` on placed anew."""
        tables, starts = self._tables[: position + 1], self.starts.copy()
        for request in order[position:]:
            table = tables[-1].copy()
            starts[request] = table.earliest(request, int(self._instance.arrival_rounds[request]))
            table.place(request, int(starts[request]))
            tables.append(table)
        return tables, starts

    def moved(self, source: int, target: int) -> tuple[Ints, Callable[[], None]]:
        """Starts after moving one request, and a function that makes the move."""
        order = self.order.copy()
        order.insert(target, order.pop(source))
        tables, starts = self._placed(order, min(source, target))

        def commit() -> None:
            self.order, self._tables, self.starts = order, tables, starts

        return starts, commit
