"""Ever closer intervals for a mean, from ever more independent draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from orsched.work import Floats
from proofs_check.rules.rule import Draws, Instance

FIRST = 128
"""Draws before the first look."""

ROUNDING = 1e-9
"""Slacks that differ by no more than this, relative to the largest and to 1, count as equal."""


@dataclass(frozen=True, slots=True)
class MeanSlack:
    """An interval ``[least, largest]`` for the mean slack, and from how many draws.

    A slack that is not finite makes the mean minus infinity: a violation beyond measure.
    """

    mean: float
    least: float
    largest: float
    draws: int

    def witness(self, margin: float) -> Instance:
        """What a verdict shows."""
        return {"mean_slack": self.mean, "least": self.least, "largest": self.largest, "margin": margin}


def looks(most: int) -> list[int]:
    """Numbers of draws at which to look: doubling from 128, the last one `most`."""
    found = []
    look = FIRST
    while look < most:
        found.append(look)
        look *= 2
    return [*found, most]


def mean_slacks(draws: Draws, most: int, error: float) -> Iterator[MeanSlack]:
    """An interval for the mean at each look.

    Parameters
    ----------
    draws : iterator
        Independent draws.
    most : int
        Draws at the last look, at least 2.
    error : float
        Nominal probability that any of the intervals misses the mean on a given side, shared equally by the looks.

    Notes
    -----
    Student's interval, corrected for skewness (`mean_interval`): nominal, close for means of 128 and more of slacks
    whose tails show among the draws. Slacks that are all equal say nothing about a value that is taken rarely (for a
    probability, use `Rarely`): the interval is then infinite, except at the last look.
    """
    points = looks(most)
    slacks: list[float] = []
    for look in points:
        slacks.extend(slack for slack, _ in islice(draws, look - len(slacks)))
        column = np.array(slacks)
        if not np.isfinite(column).all():
            yield MeanSlack(-math.inf, -math.inf, -math.inf, look)
            return
        mean = float(column.mean())
        if float(np.ptp(column)) > ROUNDING * max(1.0, float(np.abs(column).max())):
            yield MeanSlack(mean, *mean_interval(column, error / len(points)), look)
        elif look == most:
            yield MeanSlack(mean, mean, mean, look)
        else:
            yield MeanSlack(mean, -math.inf, math.inf, look)


def mean_interval(column: Floats, error: float) -> tuple[float, float]:
    """Ends of an interval for the mean, each missing it with about this probability.

    Student's statistic is transformed so that its skewness, estimated from the draws, vanishes to first order (P. Hall,
    On the removal of skewness by transformation, J. R. Stat. Soc. B 54, 1992), with Student's quantile for the normal
    one.

    Parameters
    ----------
    column : ndarray of float64, shape (n,)
        Draws that are not all equal.
    error : float
        Probability for each end.
    """
    from scipy.stats import t

    n = len(column)
    centred = column - column.mean()
    third = float((centred**3).mean() / (centred**2).mean() ** 1.5) / 3
    quantile = float(t.ppf(1 - error, n - 1)) / math.sqrt(n)

    def untransformed(x: float) -> float:
        """Inverse of ``T + third T^2 + third^2 T^3 / 3 + third / (2 n)``, T per root of n."""
        if abs(third) < _SYMMETRIC:
            return x
        return (math.cbrt(1 + 3 * third * (x - third / (2 * n))) - 1) / third

    mean, spread = float(column.mean()), float(column.std(ddof=1))
    return mean - spread * untransformed(quantile), mean - spread * untransformed(-quantile)


_SYMMETRIC = 1e-9
"""A third of a skewness below which there is nothing to correct."""
