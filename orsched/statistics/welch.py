"""Welch's procedure: what a system does on average over replications while it settles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from orsched.checks import is_whole
from orsched.errors import InputError
from orsched.statistics.estimate import ROUNDING, Estimate, estimate
from orsched.work import Floats

FEWEST = 20
"""Observations per path below which the halves are not compared."""


@dataclass(frozen=True, slots=True)
class Halves:
    """Whether the second half of the paths differs from the first.

    Parameters
    ----------
    first, second : Estimate
        Mean of each half over replications.
    change : Estimate
        Of second less first, paired by path.
    steady : bool or None
        Whether the interval of `change` holds 0; None with one path, which gives no interval.
    reason : str
        One sentence with the numbers. Steady means "no evidence of a trend in these paths", not a proof.
    """

    first: Estimate
    second: Estimate
    change: Estimate
    steady: bool | None
    reason: str


def welch(paths: Sequence[ArrayLike], window: int) -> Floats:
    """Average observation by observation over replications, then smooth with a moving average.

    Plot it and leave out what comes before it levels off (Welch 1983, "The statistical analysis of simulation
    results"; Law, Simulation Modeling and Analysis, section 9.5.1). Element ``i`` averages ``2 window + 1`` means
    about ``i``, and ``2 i + 1`` near the start, so that the transient is not blurred into what precedes it.

    Parameters
    ----------
    paths : sequence of array_like
        Series of each replication in order of time; the shortest decides how much is used.
    window : int
        At least 0, at most a quarter of the length.

    Returns
    -------
    ndarray of float64, shape (n - window,)

    Raises
    ------
    InputError
        When there is no path, a value is not finite, or the window does not fit.
    """
    rows = _rows(paths)
    n = rows.shape[1]
    if not is_whole(window, 0, n // 4):
        raise InputError(f"window {window!r} of paths of {n}: must be a whole number in 0 .. {n // 4}")
    with np.errstate(over="ignore"):
        means = rows.mean(axis=0)
    if not np.isfinite(means).all():
        raise InputError("Welch's procedure: the means over the paths are too large")
    width = 2 * window + 1
    start = [means[: 2 * middle + 1].mean() for middle in range(window)]
    # not by differences of running sums, which lose small values behind a large one
    return np.concatenate((start, np.convolve(means, np.full(width, 1 / width), "valid")))


def halves(paths: Sequence[ArrayLike], skip: int = 0, level: float = 0.95) -> Halves:
    """Compare the second half of each path with its first, over replications.

    Paths are independent, so the paired differences are, however the times within a path depend on each other: the
    t-interval is honest without any model of the correlation. A transient that `skip` leaves in, an unstable queue or
    a drifting arrival rate shows as a change. Changes below 1e-9 of the largest value of a path count as none: they are
    rounding.

    Parameters
    ----------
    paths : sequence of array_like
        Series of each replication in order of time; the shortest decides how much is used.
    skip : int
        Observations to leave out at the start of each (`orsched.statistics.warmup`).
    level : float
        In (0, 1).

    Raises
    ------
    InputError
        When fewer than `FEWEST` observations are left, or a value is not finite.
    """
    rows = _rows(paths)
    if not is_whole(skip, 0, rows.shape[1] - 1):
        raise InputError(f"skip = {skip!r} of paths of {rows.shape[1]}: must be a whole number that leaves something")
    rows = rows[:, skip:]
    n = rows.shape[1]
    if n < FEWEST:
        raise InputError(f"halves of paths of {n} observations: need at least {FEWEST}")
    first, second = rows[:, : n // 2].mean(axis=1), rows[:, n - n // 2 :].mean(axis=1)
    moved = np.where(np.abs(second - first) <= ROUNDING * np.abs(rows).max(axis=1), 0.0, second - first)
    change = estimate(moved, level)
    steady = None if change.half_width is None else change.contains(0.0)
    return Halves(estimate(first, level), estimate(second, level), change, steady, _reason(change, steady))


def _reason(change: Estimate, steady: bool | None) -> str:
    if steady is None:
        return "undecided: one path gives no interval for the change between its halves"
    if steady:
        return f"no significant change between the halves of {change.n} paths ({change})"
    return f"not steady: the second half differs from the first by {change} over {change.n} paths"


def _rows(paths: Sequence[ArrayLike]) -> Floats:
    series = [np.asarray(path, dtype=float).reshape(-1) for path in paths]
    if not series or min(map(len, series)) == 0:
        raise InputError("Welch's procedure needs at least one path, and an observation in each")
    rows: Floats = np.array([row[: min(map(len, series))] for row in series])
    if not np.isfinite(rows).all():
        raise InputError("Welch's procedure: every observation must be finite")
    return rows
