"""Schedules built by rules, in the round model."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.ndimage import minimum_filter1d

from fluid.hindsight.rounds import Ints, RoundInstance


class Timetable:
    """Free memory per round, and requests placed into it one after another.

    Parameters
    ----------
    instance : RoundInstance
        What is placed.
    """

    __slots__ = ("_end", "_least", "_ramps", "_rounds", "free")

    def __init__(self, instance: RoundInstance) -> None:
        length = int(instance.arrival_rounds.max() + instance.output_tokens.sum() + instance.output_tokens.max()) + 2
        self._ramps = [instance.ramp(i) for i in range(len(instance))]
        self._rounds = np.arange(length)
        self._least = np.empty(length, dtype=np.int64)
        self._end = 0
        self.free = np.full(length, instance.memory_tokens, dtype=np.int64)

    def copy(self) -> Timetable:
        """The same table, to be filled differently from here on."""
        other = Timetable.__new__(Timetable)
        other._ramps, other._rounds, other._least = self._ramps, self._rounds, self._least
        other._end, other.free = self._end, self.free.copy()
        return other

    def fits(self, request: int, start: int) -> bool:
        """Whether the request, started at `start`, fits beside those already placed."""
        ramp = self._ramps[request]
        return bool((self.free[start + 1 : start + 1 + len(ramp)] >= ramp).all())

    def place(self, request: int, start: int) -> None:
        """Take the memory of a request started at `start`."""
        ramp = self._ramps[request]
        self.free[start + 1 : start + 1 + len(ramp)] -= ramp
        self._end = max(self._end, start + len(ramp))

    def earliest(self, request: int, start: int) -> int:
        """First round from `start` on at which the request fits.

        Started at t it holds ``s + u - t`` tokens in round u, so it fits when the least ``free_u - u`` over
        its o rounds is at least ``s - t``: a sliding minimum answers for every t at once.
        """
        o = len(self._ramps[request])
        first, last = start + 1, max(start, self._end) + o + 1
        rounds = self._rounds[first:last]
        least = self._least[: last - first]
        minimum_filter1d(self.free[first:last] - rounds, o, output=least, mode="nearest", origin=-(o // 2))
        return start + int((least + rounds >= self._ramps[request][0]).argmax())


def mc_sf_starts(instance: RoundInstance) -> Ints:
    """Memory-constrained shortest first (MC-SF) with exact lengths (arXiv 2502.07115), shape ``(n,)``.

    In every round, waiting requests are scanned by increasing output length and started while the memory
    suffices in every later round; the first that fails ends the scan.
    """
    table = Timetable(instance)
    starts = np.full(len(instance), -1, dtype=np.int64)
    waiting = np.lexsort((np.arange(len(instance)), instance.output_tokens)).tolist()
    now = 0
    while waiting:
        for request in [i for i in waiting if instance.arrival_rounds[i] <= now]:
            if not table.fits(request, now):
                break
            table.place(request, now)
            starts[request] = now
        waiting = [i for i in waiting if starts[i] < 0]
        now += 1
    return starts


def list_schedule(instance: RoundInstance, order: Iterable[int]) -> Ints:
    """Place requests one after another, each as early as it fits beside those placed before it."""
    table = Timetable(instance)
    starts = np.full(len(instance), -1, dtype=np.int64)
    for request in order:
        starts[request] = table.earliest(request, int(instance.arrival_rounds[request]))
        table.place(request, int(starts[request]))
    return starts
