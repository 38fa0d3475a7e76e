"""Exponents: the log-log slope of a metric against the scale, with an interval from the jackknife."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orsched.errors import InputError
from orsched.statistics.estimate import Estimate, estimate
from orsched.work import Floats
from proofs_check.heavy_traffic.served import ALL

if TYPE_CHECKING:
    import pandas as pd


def slope(study: pd.DataFrame, metric: str, kind: str = ALL, level: float = 0.95) -> Estimate:
    """Slope of ``log E[metric]`` against ``log zeta``: the exponent of a power law.

    Least squares through the logarithms of the means over replications, all scales with the same weight. The scales of
    a replication are measured on one path, so their errors depend on each other; the interval takes the replications
    as the independent observations. With ``theta`` the slope of all ``R`` of them and ``theta_{-r}`` that without the
    r-th, the pseudo-values ``R theta - (R - 1) theta_{-r}`` are averaged, with Student's t (Tukey's jackknife).

    Parameters
    ----------
    study : pandas.DataFrame
        Of `scaling_study`, with at least two scales.
    metric : str
        One of its metrics, with positive means.
    kind : str
        Type: ``"all"`` or its number.
    level : float
        Confidence level, in (0, 1).

    Returns
    -------
    Estimate
        Its mean is the slope with the jackknife's correction of bias; no interval with one replication.

    Raises
    ------
    InputError
        When there is nothing of that metric and type, fewer than two scales, or a mean that has no logarithm.
    """
    values, scales = _table(study, metric, kind)
    if len(scales) < 2:
        raise InputError(f"slope of {metric!r}: needs at least two scales, there is {len(scales)}")
    count = len(values)
    total = values.sum(axis=0)
    centred = np.log(scales) - np.log(scales).mean()
    weights = centred / (centred**2).sum()
    if count == 1:
        return Estimate(float(_logarithms(total, metric) @ weights), None, 1, level)
    whole = float(_logarithms(total / count, metric) @ weights)
    without = _logarithms((total - values) / (count - 1), metric) @ weights
    return estimate(count * whole - (count - 1) * without, level)


def means(study: pd.DataFrame, metric: str, kind: str = ALL, level: float = 0.95) -> dict[float, Estimate]:
    """Mean of a metric over the replications, with its interval, by scale; parameters as for `slope`."""
    values, scales = _table(study, metric, kind)
    return {scale: estimate(column, level) for scale, column in zip(scales.tolist(), values.T, strict=True)}


def _table(study: pd.DataFrame, metric: str, kind: str) -> tuple[Floats, Floats]:
    """Values of shape ``(replications, scales)``, and the scales in order."""
    chosen = study[(study["metric"] == metric) & (study["type"] == kind)]
    if chosen.empty:
        known = ", ".join(sorted(study["metric"].unique()))
        raise InputError(f"the study has no metric {metric!r} of type {kind!r}: metrics are {known}")
    table = chosen.pivot(index="replication", columns="scale", values="value")
    return table.to_numpy(dtype=float), table.columns.to_numpy(dtype=float)


def _logarithms(averages: Floats, metric: str) -> Floats:
    if not (averages > 0).all():
        raise InputError(f"slope of {metric!r}: a mean over replications is not positive and has no logarithm")
    return np.asarray(np.log(averages))
