"""Estimates with confidence intervals, from replications, pairs or batch means."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError
from orsched.work import Floats

ROUNDING = 1e-9
"""Differences and half-widths below this share of the values are rounding: the same value computed in another order."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its confidence interval.

    ``str(e)`` is ``"4.06 ± 0.12"``, with two significant digits in the half-width; ``format(e, ".3f")``
    applies the format to both numbers. Without an interval it is ``"4.06 (n=1)"``.

    Parameters
    ----------
    mean : float
        Sample mean.
    half_width : float or None
        Half the width of the interval; None when one observation gives no interval.
    n : int
        Observations (replications, pairs or batches).
    level : float
        Confidence level of the interval.
    """

    mean: float
    half_width: float | None
    n: int
    level: float = 0.95

    @property
    def relative_half_width(self) -> float | None:
        """Half-width over the absolute mean; None without an interval or for a mean of zero."""
        return None if self.half_width is None or self.mean == 0 else self.half_width / abs(self.mean)

    def contains(self, value: float) -> bool:
        """Whether `value` lies in the interval; never, without one."""
        return self.half_width is not None and abs(value - self.mean) <= self.half_width

    def __format__(self, spec: str) -> str:
        if self.half_width is None:
            return f"{self.mean:{spec or '.4g'}} (n={self.n})"
        return f"{self.mean:{spec or self._spec()}} ± {self.half_width:{spec or self._spec()}}"

    def __str__(self) -> str:
        return format(self, "")

    def _spec(self) -> str:
        if not self.half_width or self.half_width < ROUNDING * abs(self.mean):
            return ".4g"
        digits = 1 - int(f"{self.half_width:.1e}".partition("e")[2])
        return f".{max(0, digits)}f" if abs(digits) <= 9 else ".3e"


def estimate(values: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean of independent observations with a Student-t confidence interval.

    Parameters
    ----------
    values : array_like, shape (n,)
        One number per replication.
    level : float
        Confidence level, in (0, 1).

    Raises
    ------
    InputError
        When there is no value, one is not finite, the level is outside (0, 1), or the values are so large that their
        mean or their spread is no finite number.
    """
    if not 0 < level < 1:
        raise InputError(f"confidence level {level!r}: must lie strictly between 0 and 1")
    sample = _sample("values", values)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, n = float(sample.mean()), len(sample)
        deviation = 0.0 if n == 1 else float(sample.std(ddof=1))
    if not math.isfinite(mean + deviation):
        raise InputError(f"values up to {np.abs(sample).max():.3g} are too large: their mean or spread is not finite")
    if n == 1:
        return Estimate(mean, None, 1, level)
    from scipy.special import stdtrit

    quantile = float(stdtrit(n - 1, 0.5 + level / 2))
    return Estimate(mean, quantile * deviation / math.sqrt(n), n, level)


def paired_difference(values: ArrayLike, reference: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean of ``values - reference`` over replications that shared their random numbers.

    Both are array_like of shape ``(n,)``, row by row from the same sample path; `level` as for `estimate`.

    Raises
    ------
    InputError
        When their lengths differ, or as for `estimate`.
    """
    ours, theirs = _sample("values", values), _sample("reference", reference)
    if len(ours) != len(theirs):
        raise InputError(f"paired difference of {len(ours)} and {len(theirs)} replications: need as many")
    return estimate(ours - theirs, level)


def batch_means(series: ArrayLike, batches: int = 20) -> Floats:
    """Means of consecutive, equally long batches of a stationary series.

    Long batches are nearly independent: ``estimate(batch_means(series))`` is the interval from one long run.
    The first ``n % batches`` values, those nearest to the warm-up, are left out.

    Parameters
    ----------
    series : array_like, shape (n,)
        In order of time, warm-up removed.
    batches : int
        Number of batches, at least 2 and at most ``n``.

    Returns
    -------
    ndarray of float64, shape (batches,)
    """
    sample = _sample("series", series)
    if not 2 <= batches <= len(sample):
        raise InputError(f"{batches!r} batches of {len(sample)} values: need 2 to {len(sample)} of them")
    means: Floats = sample[len(sample) % batches :].reshape(batches, -1).mean(axis=1)
    return means


def _sample(name: str, values: ArrayLike) -> Floats:
    sample = np.asarray(values, dtype=float).reshape(-1)
    if sample.size == 0:
        raise InputError(f"{name}: no observation given")
    if not np.isfinite(sample).all():
        row = int(np.argmax(~np.isfinite(sample)))
        raise InputError(f"{name} row {row} = {sample[row]}: must be finite")
    return sample
