"""Warm-up: how many observations to leave out at the start, by a rule that is stated with the result."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError, unknown_name

RULES = ("none", "mser-5", "fixed-10%")
"""Rules by name; ``fixed-<percent>%`` takes any whole percentage from 0 to 90."""

_FIXED = re.compile(r"fixed-(\d{1,2})%")
_BATCH = 5


@dataclass(frozen=True, slots=True)
class WarmUp:
    """What a rule says about a series.

    Parameters
    ----------
    rule : str
        Name of the rule, to print with the result.
    skip : int
        Observations to leave out at the start.
    settled : bool
        False when MSER-5 wants to leave out half of the series or more, or has fewer than 20 observations:
        the run is too short, or has no steady state.
    """

    rule: str
    skip: int
    settled: bool = True


def warm_up(series: ArrayLike, rule: str = "mser-5") -> WarmUp:
    """Apply a warm-up rule to a series in order of time.

    Parameters
    ----------
    series : array_like, shape (n,)
        Observations, for example latencies in order of arrival.
    rule : str
        ``"none"``, ``"mser-5"`` or ``"fixed-<percent>%"``.

    Raises
    ------
    UnknownNameError
        For another rule.
    InputError
        When the series is empty or not finite, or the percentage exceeds 90.
    """
    values = np.asarray(series, dtype=float).reshape(-1)
    if values.size == 0 or not np.isfinite(values).all():
        raise InputError(f"warm-up of {values.size} values: need at least one, all finite")
    if rule == "none":
        return WarmUp(rule, 0)
    if rule == "mser-5":
        skip, settled = _mser5(values)
        return WarmUp(rule, skip, settled)
    fixed = _FIXED.fullmatch(rule)
    if fixed is None:
        raise unknown_name("warm-up rule", rule, RULES)
    percent = int(fixed.group(1))
    if percent > 90:
        raise InputError(f"warm-up rule {rule!r}: leave out at most 90%")
    return WarmUp(rule, values.size * percent // 100)


def _mser5(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[int, bool]:
    """Minimise the marginal standard error of the mean of batches of five.

    With ``z_1 .. z_k`` the batch means, that is ``sum_{j > d} (z_j - mean)^2 / (k - d)^2`` over ``d <= k/2``
    (White, Cobb and Spratt 2000, "A comparison of five steady-state truncation heuristics for simulation").
    """
    k = len(values) // _BATCH
    if k < 4:
        return 0, False
    means = values[: k * _BATCH].reshape(k, _BATCH).mean(axis=1)
    centred = means - means.mean()  # sums of squares of deviations cancel badly otherwise
    left = np.arange(k, 0, -1)
    tail, squares = np.cumsum(centred[::-1])[::-1], np.cumsum(centred[::-1] ** 2)[::-1]
    errors = np.maximum(squares - tail**2 / left, 0.0) / left**2
    limit = k // 2
    d = int(np.argmin(errors[: limit + 1]))
    return d * _BATCH, d < limit
