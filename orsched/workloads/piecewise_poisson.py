"""Poisson arrivals at a rate that is a known step function of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orsched.checks import check_number, check_numbers
from orsched.errors import InputError
from orsched.work import Floats


def times_of(expected: Floats, starts_s: Floats, rates_per_s: Floats) -> Floats:
    """Invert a piecewise-linear cumulative rate.

    Parameters
    ----------
    expected : ndarray of float64
        Values ``u > 0`` of the cumulative rate, shape ``(n,)``.
    starts_s : ndarray of float64
        Starts of the rate's pieces, increasing from 0, shape ``(k,)``; the last piece has no end.
    rates_per_s : ndarray of float64
        Rate on each piece, >= 0, shape ``(k,)``; the last one > 0.

    Returns
    -------
    ndarray of float64
        Times ``t`` (s) with ``integral_0^t rate = u``, shape ``(n,)``. Unit-rate Poisson points map to
        points of the Poisson process with this rate (the time-change theorem), without thinning.
    """
    reached = np.concatenate([[0.0], np.cumsum(np.diff(starts_s) * rates_per_s[:-1])])
    expected = np.maximum(expected, np.finfo(float).tiny)
    # "left" puts a value on the border into the earlier piece, whose rate is then positive.
    piece = np.searchsorted(reached, expected, side="left") - 1
    return np.asarray(starts_s[piece] + (expected - reached[piece]) / rates_per_s[piece])


@dataclass(frozen=True, slots=True)
class PiecewisePoisson:
    """Poisson arrivals at a rate that is a step function of time (a daily profile, a surge).

    Parameters
    ----------
    starts_s : tuple of float
        Where each rate begins, seconds; the first is 0, increasing.
    rates_per_s : tuple of float
        Rates, requests per second, >= 0, one for each start.
    period_s : float, optional
        The profile repeats with this period (longer than the last start). None: the last rate, which must
        then be positive, continues for ever.

    Raises
    ------
    InputError
        If the steps are not as said above, or if no request would ever arrive.
    """

    starts_s: tuple[float, ...]
    rates_per_s: tuple[float, ...]
    period_s: float | None = None

    def __post_init__(self) -> None:
        starts, rates = check_numbers(self, "starts_s"), check_numbers(self, "rates_per_s")
        if len(starts) != len(rates):
            raise InputError(f"PiecewisePoisson: {len(starts)} starts_s but {len(rates)} rates_per_s: one rate each")
        if starts[0] != 0 or np.any(np.diff(starts) <= 0):
            raise InputError(f"PiecewisePoisson.starts_s = {self.starts_s!r}: must begin at 0 and increase strictly")
        if self.period_s is None:
            if rates[-1] <= 0:
                raise InputError(
                    f"PiecewisePoisson.rates_per_s ends with {rates[-1]:g}: the last rate goes on for ever, "
                    "so make it > 0 or give period_s to repeat the profile"
                )
            return
        check_number(self, "period_s", least=float(starts[-1]), above=True, unit="seconds")
        if not rates.any():
            raise InputError("PiecewisePoisson.rates_per_s are all 0: no request would ever arrive")

    @property
    def rate_per_s(self) -> float:
        """Exact long-run rate: the mean over a period, or the last rate when nothing repeats."""
        if self.period_s is None:
            return float(self.rates_per_s[-1])
        return float(self._per_period() / self.period_s)

    def times_of(self, expected: Floats) -> Floats:
        """Return the times (s) by which `expected` arrivals (> 0) are expected; arrays of shape ``(n,)``."""
        starts, rates = np.array(self.starts_s, dtype=float), np.array(self.rates_per_s, dtype=float)
        if self.period_s is None:
            return times_of(expected, starts, rates)
        total = self._per_period()
        cycles = np.ceil(expected / total) - 1
        within = np.clip(expected - cycles * total, 0.0, total)
        # Closing the period with a positive rate keeps rounding at its very end inside the last piece.
        ends = times_of(within, np.append(starts, self.period_s), np.append(rates, 1.0))
        return np.asarray(cycles * self.period_s + ends)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw `n` arrival times (s), shape ``(n,)``, exactly, by inversion of the cumulative rate."""
        return np.maximum.accumulate(self.times_of(np.cumsum(rng.exponential(size=n))))

    def _per_period(self) -> float:
        """Return the expected number of arrivals in one period."""
        return float(np.dot(np.diff([*self.starts_s, self.period_s or 0.0]), self.rates_per_s))
