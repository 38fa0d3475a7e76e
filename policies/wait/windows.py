"""Busiest and quietest windows of an arrival rate that is a step function of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orsched.work import Floats, Ints

if TYPE_CHECKING:
    from fluid.trajectory.profile import RateProfile

_HAIR = 1e-9
"""Share of an expected number by which a lull is sought around it, so that rounding does not skip one."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Expected arrivals ``A(t, h)``, the integral of a rate over ``[t, t + h]``, at their extremes over t.

    Parameters
    ----------
    times_s, expected : ndarray of float64
        Where the rate changes, and the expected arrivals by then; shape ``(k,)``. Of a periodic rate three periods.
    last_rate_per_s : float
        The rate from the last time on.
    period_s : float, optional
        The period; None when nothing repeats.
    period_expected : float
        Expected arrivals in a period, 0 without one.
    """

    times_s: Floats
    expected: Floats
    last_rate_per_s: float
    period_s: float | None = None
    period_expected: float = 0.0

    @classmethod
    def of(cls, rates: RateProfile, shares: Sequence[float] | None = None) -> Windows:
        """Windows of a rate, or of a share of it, one for each of its steps.

        The end of a periodic rate is left out of account: it only takes arrivals away.
        """
        starts = np.array(rates.starts_s)
        steps = np.array(rates.rates_per_s) * (1.0 if shares is None else np.asarray(shares))
        period = rates.period_s
        if period is not None:
            times = np.concatenate([starts, starts + period, starts + 2 * period, [3 * period]])
            expected = _cumulated(times, np.tile(steps, 3))
            return cls(times, expected, float(steps[0]), period, float(expected[len(starts)]))
        times, steps = starts[starts < rates.end_s], steps[starts < rates.end_s]
        if rates.end_s < math.inf:
            times, steps = np.append(times, rates.end_s), np.append(steps, 0.0)
        expected = _cumulated(times, steps[:-1])
        if steps[-1] == 0:  # nothing arrives after the total is reached
            kept = int(np.searchsorted(expected, expected[-1])) + 1
            times, expected = times[:kept], expected[:kept]
        return cls(times, expected, float(steps[-1]))

    @property
    def highest_rate_per_s(self) -> float:
        """The highest rate; `busiest` per second of window in the limit of short ones."""
        inner = np.diff(self.expected) / np.diff(self.times_s)
        return max(float(np.max(inner, initial=0.0)), self.last_rate_per_s)

    def busiest(self, window_s: float) -> float:
        """``sup_t A(t, h)`` for ``h = window_s`` seconds: the busiest window begins or ends where the rate changes."""
        whole, rest = (0.0, window_s) if self.period_s is None else divmod(window_s, self.period_s)
        begins = np.maximum(np.concatenate([self.times_s, self.times_s - rest]), 0.0)
        if self.period_s is not None:
            begins = begins[begins <= 2 * self.period_s]
        return float(np.max(self._by(begins + rest) - self._by(begins))) + whole * self.period_expected

    def longest_lull_s(self, number: float) -> float:
        """``sup_t inf{h : A(t, h) > number}``, seconds: the longest that so many arrivals are waited for.

        Beginnings after which no more than `number` are ever expected do not count: the input ends there. Infinite
        when there are no others.
        """
        whole, rest = (0.0, number) if not self.period_expected else divmod(number, self.period_expected)
        end = math.inf if self.last_rate_per_s else float(self.expected[-1]) - rest
        latest = self.period_expected or end
        reached = np.concatenate([self.expected, self.expected - rest])
        reached = reached[(reached >= 0) & (reached <= latest)]
        if not len(reached):
            return math.inf
        lull = float(np.max(self._last_time(reached + rest) - self._first_time(reached)))
        return lull + (whole * self.period_s if self.period_s else 0.0)

    def _by(self, times_s: Floats) -> Floats:
        beyond = np.maximum(times_s - self.times_s[-1], 0.0)
        return np.asarray(np.interp(times_s, self.times_s, self.expected) + beyond * self.last_rate_per_s)

    def _first_time(self, reached: Floats) -> Floats:
        reached = np.maximum(reached - _HAIR * (1 + reached), 0.0)
        return self._inverse(reached, np.searchsorted(self.expected, reached, side="left") - 1)

    def _last_time(self, reached: Floats) -> Floats:
        reached = reached + _HAIR * (1 + reached)
        return self._inverse(reached, np.searchsorted(self.expected, reached, side="right") - 1)

    def _inverse(self, reached: Floats, pieces: Ints) -> Floats:
        pieces = np.maximum(pieces, 0)
        rates = np.append(np.diff(self.expected) / np.diff(self.times_s), self.last_rate_per_s)[pieces]
        ahead = reached - self.expected[pieces]
        return np.asarray(self.times_s[pieces] + np.divide(ahead, rates, out=np.zeros(len(ahead)), where=rates > 0))


def _cumulated(times_s: Floats, rates_per_s: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.diff(times_s) * rates_per_s)])
