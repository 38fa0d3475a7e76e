"""Poisson arrivals whose rate is driven by a hidden Markov chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orsched.checks import check_numbers
from orsched.errors import InputError
from orsched.work import Floats
from orsched.workloads.piecewise_poisson import times_of


@dataclass(frozen=True, slots=True)
class MarkovModulatedPoisson:
    """Poisson arrivals whose rate is set by a hidden chain that visits its states in turn, cyclically.

    State ``k`` lasts an exponential time with mean ``mean_sojourns_s[k]``, then state ``k + 1`` (after the
    last, the first) follows; two states give the classical MMPP(2). The chain starts from its stationary law,
    which is proportional to the mean sojourn times, so that the expected rate is the same at all times.

    Parameters
    ----------
    rates_per_s : tuple of float
        Rate in each state, requests per second, >= 0, not all 0.
    mean_sojourns_s : tuple of float
        Mean length of a stay in each state, seconds, > 0.

    Raises
    ------
    InputError
        If the tuples differ in length or hold a value outside its range.
    """

    rates_per_s: tuple[float, ...]
    mean_sojourns_s: tuple[float, ...]

    def __post_init__(self) -> None:
        rates, stays = check_numbers(self, "rates_per_s"), check_numbers(self, "mean_sojourns_s")
        if len(rates) != len(stays):
            raise InputError(
                f"MarkovModulatedPoisson: {len(rates)} rates_per_s but {len(stays)} mean_sojourns_s: one each"
            )
        if not rates.any():
            raise InputError("MarkovModulatedPoisson.rates_per_s are all 0: no request would ever arrive")
        if np.any(stays <= 0):
            raise InputError(f"MarkovModulatedPoisson.mean_sojourns_s = {self.mean_sojourns_s!r}: must all be > 0")
        if np.dot(rates, stays) < 1e-3:
            raise InputError(
                f"MarkovModulatedPoisson expects {np.dot(rates, stays):g} arrivals in a round of its states; "
                "below 0.001 it cannot be told from a constant rate: use Poisson"
            )

    @property
    def rate_per_s(self) -> float:
        """Exact stationary rate: the mean of the rates, weighted by the mean sojourn times."""
        return float(np.average(self.rates_per_s, weights=self.mean_sojourns_s))

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw `n` arrival times (s), shape ``(n,)``, exactly: draw the rate's path, then invert it."""
        rates, means = np.array(self.rates_per_s, dtype=float), np.array(self.mean_sojourns_s, dtype=float)
        unit, states = rng.spawn(2)
        expected = np.cumsum(unit.exponential(size=n))
        # A stay in progress at time 0 has its full exponential law ahead of it: memoryless.
        first = int(states.choice(len(means), p=means / means.sum()))
        cycles = max(1, int(np.ceil(expected[-1] / np.dot(rates, means))))
        order = np.roll(np.arange(len(means)), -first)
        stays: list[Floats] = []
        reached = 0.0
        while reached < expected[-1]:
            drawn = states.exponential(means[order], size=(cycles, len(means)))
            stays.append(drawn.ravel())
            reached += float((drawn * rates[order]).sum())
        lengths = np.concatenate(stays)
        path = np.tile(rates[order], len(lengths) // len(means))
        starts = np.concatenate([[0.0], np.cumsum(lengths)])
        # Beyond the drawn path nothing is needed; the closing piece only absorbs rounding at its end.
        return np.maximum.accumulate(times_of(expected, starts, np.append(path, 1.0)))
