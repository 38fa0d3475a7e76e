"""An arrival rate that is a step function of time."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np

from orsched.errors import InputError
from orsched.workloads import PiecewisePoisson, Poisson, Workload

MOST_WINDOWS = 5_000
"""More windows of a trace than this are refused: each keeps a table of its own."""


@dataclass(frozen=True, slots=True)
class RateProfile:
    """Requests per second as a step function of time.

    Unlike a `PiecewisePoisson`, which is a law to draw from, it may end with rate 0.

    Parameters
    ----------
    starts_s : tuple of float
        Where each rate begins, seconds; the first is 0, strictly increasing.
    rates_per_s : tuple of float
        Rates, requests per second, >= 0, one for each start.
    period_s : float, optional
        The profile repeats with this period, longer than the last start. None: the last rate stays.
    end_s : float
        From then on nothing arrives.

    Raises
    ------
    InputError
        If the steps are not as said.
    """

    starts_s: tuple[float, ...]
    rates_per_s: tuple[float, ...]
    period_s: float | None = None
    end_s: float = math.inf
    _reached: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts, rates = self.starts_s, self.rates_per_s
        if not starts or len(starts) != len(rates):
            raise InputError(f"RateProfile: {len(starts)} starts_s and {len(rates)} rates_per_s: one rate per start")
        if starts[0] != 0 or any(not a < b < math.inf for a, b in pairwise(starts)):
            raise InputError(f"RateProfile.starts_s = {starts!r}: must begin at 0 and increase strictly")
        for rate in rates:
            if not 0 <= rate < math.inf:
                raise InputError(f"RateProfile.rates_per_s has {rate!r}: must be finite and >= 0")
        if self.period_s is not None and not starts[-1] < self.period_s < math.inf:
            raise InputError(
                f"RateProfile.period_s = {self.period_s!r}: must be finite and after the last start, {starts[-1]:g} s"
            )
        if not self.end_s > 0:
            raise InputError(f"RateProfile.end_s = {self.end_s!r}: must be > 0 seconds")
        end = starts[-1] if self.period_s is None else self.period_s
        pieces = (rate * (b - a) for rate, (a, b) in zip(rates, pairwise((*starts, end)), strict=True))
        object.__setattr__(self, "_reached", (0.0, *accumulate(pieces)))

    @classmethod
    def of(cls, law: Poisson | PiecewisePoisson) -> RateProfile:
        """The rate of an arrival law."""
        if isinstance(law, Poisson):
            return cls((0.0,), (float(law.rate_per_s),))
        return cls(tuple(map(float, law.starts_s)), tuple(map(float, law.rates_per_s)), law.period_s)

    @classmethod
    def of_windows(cls, workload: Workload, window_s: float) -> RateProfile:
        """Rate of a trace, counted in windows of `window_s` seconds from time 0; 0 after the last arrival's window.

        Raises
        ------
        InputError
            When the window is not a positive, finite number of seconds, or there would be too many of them.
        """
        if not 0 < window_s < math.inf:
            raise InputError(f"window_s = {window_s!r}: must be a positive, finite number of seconds")
        windows = workload.arrival_s[-1] / window_s + 1
        if windows > MOST_WINDOWS:
            raise InputError(f"window_s = {window_s!r}: gives {windows:.3g} windows; at most {MOST_WINDOWS}")
        starts = window_s * np.arange(int(windows) + 1)
        if starts[-1] <= workload.arrival_s[-1]:  # the division was rounded
            starts = np.append(starts, starts[-1] + window_s)
        counts = np.diff(np.searchsorted(workload.arrival_s, starts))
        return cls(tuple(starts.tolist()), (*(counts / window_s).tolist(), 0.0))

    def rate_per_s_at(self, time_s: float) -> float:
        """The rate at a time (from it on, where the rate changes)."""
        return 0.0 if time_s >= self.end_s else self.rates_per_s[self._piece(time_s)[1]]

    def expected(self, time_s: float) -> float:
        """Requests that have arrived by a time, ``integral_0^t rate``."""
        time_s = min(time_s, self.end_s)
        cycle, piece = self._piece(time_s)
        whole = cycle * self._reached[-1] if cycle else 0.0
        return whole + self._reached[piece] + self.rates_per_s[piece] * (time_s - self._start_s(cycle, piece))

    def piece_at(self, time_s: float) -> int:
        """Which of the steps holds at a time (from it on, where it changes)."""
        return self._piece(time_s)[1]

    def next_start_s(self, time_s: float) -> float:
        """First time after `time_s` at which the rate may change; infinite after the last."""
        if time_s >= self.end_s:
            return math.inf
        cycle, piece = self._piece(time_s)
        return min(self._start_s(cycle, piece + 1), self.end_s)

    def _piece(self, time_s: float) -> tuple[int, int]:
        """Cycle and piece whose computed start is the last one at or before a time, whatever the rounding."""
        if self.period_s is None:
            return 0, bisect_right(self.starts_s, time_s) - 1
        cycle = int(time_s // self.period_s)
        piece = max(bisect_right(self.starts_s, time_s - cycle * self.period_s) - 1, 0)
        while self._start_s(cycle, piece + 1) <= time_s:
            cycle, piece = (cycle, piece + 1) if piece + 1 < len(self.starts_s) else (cycle + 1, 0)
        while self._start_s(cycle, piece) > time_s:
            cycle, piece = (cycle, piece - 1) if piece else (cycle - 1, len(self.starts_s) - 1)
        return cycle, piece

    def _start_s(self, cycle: int, piece: int) -> float:
        """Where a piece starts; the one after the last is the first of the next cycle, or never starts."""
        if piece < len(self.starts_s):
            return cycle * (self.period_s or 0.0) + self.starts_s[piece]
        return math.inf if self.period_s is None else (cycle + 1) * self.period_s
