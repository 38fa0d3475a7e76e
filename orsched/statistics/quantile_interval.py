"""Intervals for quantiles: of independent observations, and of the dependent times along sample paths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError
from orsched.statistics.estimate import Estimate, estimate
from orsched.statistics.quantiles import percentiles
from orsched.work import Floats


@dataclass(frozen=True, slots=True)
class QuantileInterval:
    """A quantile with an interval that need not be symmetric.

    Parameters
    ----------
    percent : int
        Which percentile.
    value, low, high : float
        The sample's percentile (`orsched.statistics.quantiles`) and the ends of the interval, all observed values.
    n : int
        Observations.
    level : float
        Confidence level; what the interval covers with at least this probability.
    """

    percent: int
    value: float
    low: float
    high: float
    n: int
    level: float = 0.95

    def contains(self, value: float) -> bool:
        """Whether `value` lies in the interval."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def independent_quantile(values: ArrayLike, percent: int, level: float = 0.95) -> QuantileInterval:
    """Distribution-free interval for a percentile of *independent*, identically distributed observations.

    Between two order statistics: how many observations lie below the true percentile is binomial, whatever their
    law (Conover, Practical Nonparametric Statistics, 1999, section 3.2; `scipy.stats.quantile_test`). Its coverage
    is at least the level, and above it by what the binomial's steps make. The times of one run are *not* independent:
    use `path_quantile`.

    Parameters
    ----------
    values : array_like, shape (n,)
        Independent observations, such as one time from each replication.
    percent : int
        In ``1 .. 99``.
    level : float
        In (0, 1).

    Raises
    ------
    InputError
        When the observations are too few for two order statistics to enclose the percentile at the level (368 for
        the 99th at 95%), or not finite.
    """
    sample = np.asarray(values, dtype=float).reshape(-1)
    least = least_independent(percent, level)
    if sample.size < least:
        raise InputError(f"p{percent} of {sample.size} values: an interval at {level:g} needs at least {least}")
    if not np.isfinite(sample).all():
        raise InputError(f"p{percent}: every value must be finite")
    from scipy.stats import quantile_test

    value = percentiles(sample, [percent])[f"p{percent}"]
    found = quantile_test(sample, q=value, p=percent / 100).confidence_interval(level)
    return QuantileInterval(percent, value, float(found.low), float(found.high), sample.size, level)


def least_independent(percent: int, level: float = 0.95) -> int:
    """Independent observations that a two-sided interval for a percentile needs.

    The largest of ``n`` is above the ``p`` quantile with probability ``1 - p**n``, which must reach
    ``(1 + level) / 2``; and likewise for the smallest.
    """
    _require_percent(percent)
    if not 0 < level < 1:
        raise InputError(f"confidence level {level!r}: must lie strictly between 0 and 1")
    share = max(percent, 100 - percent) / 100
    return max(2, math.ceil(math.log((1 - level) / 2) / math.log(share)))


def path_quantile(paths: Sequence[ArrayLike], percent: int, level: float = 0.95) -> Estimate:
    """Student-t interval over replications for a percentile of the times along a path.

    Each path's percentile is one observation; within a path times may depend on each other as they like. What is
    estimated is the expected percentile *of a path of that length*, which is what the tables of this package show;
    it differs from the steady-state percentile by a bias of order one over the length, as the percentile of a short
    path does not see the tail. For the steady-state percentile use `pooled_quantile`.

    Parameters
    ----------
    paths : sequence of array_like, each of shape (n,)
        Times of each replication, warm-up removed.
    percent : int
        In ``1 .. 99``.
    level : float
        In (0, 1).

    Raises
    ------
    InputError
        When a path is so short that its percentile is its largest or smallest value, or as for
        `orsched.statistics.estimate.estimate`.
    """
    return estimate(_each(paths, percent), level)


def pooled_quantile(paths: Sequence[ArrayLike], percent: int, level: float = 0.95) -> Estimate:
    """Sectioning: the percentile of all paths together, with an interval from how the paths' own spread about it.

    The centre has the small bias of the long sample; the half-width is ``t sqrt(mean((q_i - q)^2) b / (b - 1) / b)``
    with ``q_i`` the percentile of path ``i`` of ``b`` and ``q`` that of all, so the bias of short paths widens the
    interval (Asmussen and Glynn, Stochastic Simulation, 2007, section III.5; Nakayama 2014, "Confidence intervals for
    quantiles using sectioning when applying variance-reduction techniques", ACM TOMACS 24(4)). Here the sections are
    replications, which are independent. For the steady-state percentile of a stationary system.

    Parameters and errors are those of `path_quantile`; one path gives no half-width.
    """
    own = _each(paths, percent)
    estimate(own, level)  # refuses what it cannot estimate
    together = np.concatenate([np.asarray(path, dtype=float).reshape(-1) for path in paths])
    centre, b = percentiles(together, [percent])[f"p{percent}"], len(own)
    if b == 1:
        return Estimate(centre, None, 1, level)
    from scipy.special import stdtrit

    spread = math.sqrt(float(((own - centre) ** 2).sum()) / (b - 1) / b)
    return Estimate(centre, float(stdtrit(b - 1, 0.5 + level / 2)) * spread, b, level)


def _each(paths: Sequence[ArrayLike], percent: int) -> Floats:
    """The percentile of every path."""
    _require_percent(percent)
    least = math.ceil(100 / min(percent, 100 - percent))
    found = []
    for number, path in enumerate(paths):
        sample = np.asarray(path, dtype=float).reshape(-1)
        if sample.size < least:
            raise InputError(f"p{percent} of path {number}: {sample.size} values, needs at least {least}")
        if not np.isfinite(sample).all():
            raise InputError(f"p{percent} of path {number}: every value must be finite")
        found.append(percentiles(sample, [percent])[f"p{percent}"])
    if not found:
        raise InputError(f"p{percent} of no path: need at least one")
    return np.array(found)


def _require_percent(percent: int) -> None:
    if not 1 <= percent <= 99:
        raise InputError(f"percentile {percent!r}: must lie in 1 .. 99")
