"""Exponents as claims: what a study says about log-log slopes, and how far that may be from what is claimed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from proofs_check.heavy_traffic import ALL, means, slope
from proofs_check.rules import Instance

if TYPE_CHECKING:
    import pandas as pd

ERROR = 0.01
"""Probability that any interval of a claim's experiment misses; shared equally by them (Bonferroni)."""

MARGIN = 0.15
"""How far an exponent, interval included, may be from the claimed one: tells 1/2 from 0 and from 1."""

Wanted = tuple[str, str]
"""Metric and type of one exponent."""


def exponents(
    study: pd.DataFrame, wanted: Iterable[Wanted], prefix: str = "", intervals: int | None = None
) -> dict[str, list[float]]:
    """Slope and half-width of each exponent wanted, by ``prefix metric of type``.

    `intervals` is how many the experiment has, if these are not all.
    """
    pairs = list(wanted)
    level = 1 - ERROR / (intervals or len(pairs))
    found = {}
    for metric, kind in pairs:
        estimate = slope(study, metric, kind, level)
        assert estimate.half_width is not None, "a claim's study has replications"
        found[label(metric, kind, prefix)] = [estimate.mean, estimate.half_width]
    return found


def label(metric: str, kind: str = ALL, prefix: str = "") -> str:
    """Name of an exponent in an instance."""
    return prefix + metric if kind == ALL else f"{prefix}{metric} of type {kind}"


def touched_by_end(study: pd.DataFrame) -> float:
    """Largest share of measured arrivals, over scales, that completed after the path's last arrival."""
    return max(estimate.mean for estimate in means(study, "after_last_arrival").values())


def exponent_slack(x: Instance, expected: Mapping[str, float], margin: float = MARGIN) -> float:
    """`margin` minus the distance of the farther end of each interval from its exponent, least over the exponents.

    Minus infinity when the end of the path has touched what was measured.
    """
    if x["touched_by_end"] > 0:
        return -float("inf")
    slopes = x["slopes"]
    return float(min(margin - abs(slopes[name][0] - value) - slopes[name][1] for name, value in expected.items()))
