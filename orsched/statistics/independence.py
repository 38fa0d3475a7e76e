"""Whether batch means are independent enough for the interval made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError
from orsched.statistics.estimate import ROUNDING, Estimate, batch_means, estimate
from orsched.work import Floats

FEWEST = 8
"""With fewer values the normal approximation of the test is not used (Fishman 1978)."""


@dataclass(frozen=True, slots=True)
class Independence:
    """The von Neumann test of a series.

    Parameters
    ----------
    ratio : float
        ``sum (x_{i+1} - x_i)^2 / sum (x_i - mean)^2``: about 2 for independent values, below it for positively
        correlated ones.
    p_value : float
        Probability of so small a ratio, or a smaller one, among independent normal values.
    independent : bool
        Whether positive correlation of neighbours is *not* significant.
    level : float
        One minus the size of the test.
    """

    ratio: float
    p_value: float
    independent: bool
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class BatchMeans:
    """An interval from one long run, and whether to believe it.

    Parameters
    ----------
    estimate : Estimate
        Student-t over the batch means; ``n`` is the number of batches.
    independence : Independence
        Of the batch means. When they are not independent the interval is too narrow: run longer.
    """

    estimate: Estimate
    independence: Independence


def von_neumann(values: ArrayLike, level: float = 0.95) -> Independence:
    """Test a series for positive correlation of neighbours.

    For independent normal values ``C = 1 - ratio / 2`` has mean 0 and variance ``(n - 2) / (n^2 - 1)`` and is nearly
    normal from ``n = 8`` on (von Neumann 1941, Annals of Mathematical Statistics 12(4); Fishman 1978, "Grouping
    observations in digital simulation", Management Science 24(5)). One-sided: only positive correlation makes an
    interval too narrow. Not to reject is no proof of independence.

    Parameters
    ----------
    values : array_like, shape (n,)
        In order, at least `FEWEST`.
    level : float
        In (0, 1); the test has size ``1 - level``.

    Raises
    ------
    InputError
        When the values are too few or not finite, or all equal up to rounding: a spread of at most 1e-9 of the
        largest says nothing about their order.
    """
    mean = estimate(values, level).mean
    sample: Floats = np.asarray(values, dtype=float).reshape(-1)
    n = sample.size
    if n < FEWEST:
        raise InputError(f"von Neumann ratio of {n} values: needs at least {FEWEST}")
    if np.ptp(sample) <= ROUNDING * np.abs(sample).max():
        raise InputError(f"von Neumann ratio of {n} equal values: they do not vary")
    sample = sample - mean
    sample /= np.abs(sample).max()  # the ratio does not change, and no square overflows or vanishes
    squares = float((sample**2).sum())
    from scipy.special import ndtr

    ratio = float(((sample[1:] - sample[:-1]) ** 2).sum()) / squares
    p_value = float(ndtr(-(1 - ratio / 2) * math.sqrt((n**2 - 1) / (n - 2))))
    return Independence(ratio, p_value, p_value >= 1 - level, level)


def batched(series: ArrayLike, batches: int = 20, level: float = 0.95) -> BatchMeans:
    """Interval for the mean of a stationary, correlated series, with its diagnosis.

    Parameters
    ----------
    series : array_like, shape (n,)
        In order of time, warm-up removed.
    batches : int
        At least `FEWEST`, at most ``n``; 10 to 30 are usual (Schmeiser 1982, Operations Research 30(3)).
    level : float
        Of the interval, and of the test.

    Raises
    ------
    InputError
        As for `orsched.statistics.estimate.batch_means` and `von_neumann`.
    """
    means = batch_means(series, batches)
    return BatchMeans(estimate(means, level), von_neumann(means, level))
