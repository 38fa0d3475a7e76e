"""The one definition of a quantile that results and bounds share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError

PERCENTILES = (50, 90, 99)
"""Percentiles that are reported of every per-request time."""


def percentiles(values: ArrayLike, percents: Iterable[int] = PERCENTILES) -> dict[str, float]:
    """Percentiles of a sample, keyed ``"p50"``, ``"p90"``, ...

    The smallest value that at least ``p`` per cent of the sample does not exceed (numpy's ``inverted_cdf``):
    always one of the observed values, so that a bound on it needs no interpolation.

    Parameters
    ----------
    values : array_like, shape (n,)
        The sample, at least one value, no NaN.
    percents : iterable of int
        Which ones, in ``1 .. 100``.

    Raises
    ------
    InputError
        When the sample is empty or holds a NaN.
    """
    sample = np.asarray(values, dtype=float).reshape(-1)
    if sample.size == 0 or np.isnan(sample).any():
        raise InputError(f"percentiles of {sample.size} values: need at least one, and no NaN among them")
    wanted = list(percents)
    found = np.quantile(sample, [p / 100 for p in wanted], method="inverted_cdf")
    return {f"p{p}": float(value) for p, value in zip(wanted, found, strict=True)}
