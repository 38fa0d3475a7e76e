"""Schedules built by rules, in the round model."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.ndimage import minimum_filter1d

from fluid.hindsight.rounds import Ints, RoundInstance
from orsched.errors import InputError


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

    def end(self, request: int, start: int, now: int) -> None:
        """Give back what a request started at `start` would still take after round `now`."""
        ramp = self._ramps[request]
        self.free[now + 1 : start + 1 + len(ramp)] += ramp[now - start :]

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


def scan_starts(instance: RoundInstance, key: Ints, planned_tokens: Ints | None = None) -> Ints:
    """Start requests by a key while the memory suffices for all that is planned.

    In every round, waiting requests are scanned by increasing key, ties by index, and started while the memory
    suffices in every later round; the first that fails ends the scan.

    Parameters
    ----------
    instance : RoundInstance
        What is scheduled.
    key : ndarray, shape (n,)
        Place in the scan, smallest first.
    planned_tokens : ndarray of int64, shape (n,), optional
        Output length the check counts with, at least the true one; None: the true one. What is planned beyond the
        completion is given back then, and nothing is planned beyond the memory.

    Returns
    -------
    ndarray of int64, shape (n,)
        Start rounds.

    Raises
    ------
    InputError
        When a planned length is below the true one.
    """
    planned = instance
    if planned_tokens is not None:
        most = np.minimum(planned_tokens, instance.memory_tokens - instance.prompt_tokens)
        _require_upper_ends(instance, most)
        planned = RoundInstance.of(instance.arrival_rounds, instance.prompt_tokens, most, instance.memory_tokens)
    table = Timetable(planned)
    outputs = instance.output_tokens.tolist()
    completing: dict[int, list[int]] = {}
    starts = np.full(len(instance), -1, dtype=np.int64)
    waiting = np.argsort(key, kind="stable").tolist()
    now = 0
    while waiting:
        for request in completing.pop(now, ()):
            table.end(request, int(starts[request]), now)
        for request in [i for i in waiting if instance.arrival_rounds[i] <= now]:
            if not table.fits(request, now):
                break
            table.place(request, now)
            starts[request] = now
            completing.setdefault(now + outputs[request], []).append(request)
        waiting = [i for i in waiting if starts[i] < 0]
        now += 1
    return starts


def mc_sf_starts(instance: RoundInstance) -> Ints:
    """Memory-constrained shortest first (MC-SF) with exact lengths (arXiv 2502.07115), shape ``(n,)``.

    `scan_starts` by output length.
    """
    return scan_starts(instance, instance.output_tokens)


def mc_benchmark_starts(instance: RoundInstance) -> Ints:
    """MC-Benchmark (arXiv 2502.07115): the check of MC-SF, scanned by arrival; shape ``(n,)``."""
    return scan_starts(instance, instance.arrival_rounds)


def a_max_starts(instance: RoundInstance, high_tokens: Ints) -> Ints:
    """A_max (arXiv 2508.14544): MC-SF that plans with the upper ends of predicted intervals, shape ``(n,)``.

    Raises
    ------
    InputError
        When an upper end is below the true length.
    """
    return scan_starts(instance, high_tokens, high_tokens)


def svf_starts(instance: RoundInstance) -> Ints:
    """Smallest volume first (SVF, arXiv 2606.22327): start by volume while the peaks fit, shape ``(n,)``.

    In every round, waiting requests are scanned by increasing ``s o + o (o + 1) / 2``, ties by index, and started
    while the peaks ``s + o`` of all that run together are at most M; the first that fails ends the scan.
    """
    peaks = (instance.prompt_tokens + instance.output_tokens).tolist()
    freed: dict[int, int] = {}
    free = instance.memory_tokens
    starts = np.full(len(instance), -1, dtype=np.int64)
    waiting = np.argsort(instance.volume, kind="stable").tolist()
    now = 0
    while waiting:
        free += freed.pop(now, 0)
        for request in [i for i in waiting if instance.arrival_rounds[i] <= now]:
            if peaks[request] > free:
                break
            free -= peaks[request]
            starts[request] = now
            end = now + int(instance.output_tokens[request])
            freed[end] = freed.get(end, 0) + peaks[request]
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


def _require_upper_ends(instance: RoundInstance, high_tokens: Ints) -> None:
    short = np.flatnonzero(high_tokens < instance.output_tokens)
    if len(short):
        i = int(short[0])
        raise InputError(
            f"request {i} has {instance.output_tokens[i]} output tokens, it is planned with {high_tokens[i]}: "
            "a planned length is at least the true one"
        )
