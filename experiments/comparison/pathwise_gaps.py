"""Gaps of one policy to the best valid bounds of the very path it served, and what tells a wrong number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orsched.bound import Bound, best_bound
from orsched.errors import MismatchError

TOLERANCE = 1e-9
"""Relative rounding allowed before a policy is said to have beaten a pathwise bound."""

CLOCK = 1e-14
"""Rounding of a simulated time, relative to the time on the clock."""


def best_bounds(bounds: Iterable[Bound]) -> dict[str, Bound]:
    """The tightest valid bound on each metric that a relative gap exists to, in the order of `bounds`."""
    found = tuple(bounds)
    best = {metric: best_bound(found, metric) for metric in dict.fromkeys(bound.metric for bound in found)}
    return {metric: bound for metric, bound in best.items() if bound is not None and bound.value > 0}


def pathwise_gaps(
    best: Mapping[str, Bound],
    values: Mapping[str, float],
    comparable: Iterable[str],
    *,
    policy: str,
    subject: str,
    clock_s: float,
) -> dict[str, float]:
    """Gap of every metric that has a bound and may be compared with it.

    Parameters
    ----------
    best : mapping of str to Bound
        By metric, as `best_bounds` gives them.
    values : mapping of str to float
        What was measured over the whole path, by metric.
    comparable : iterable of str
        Metrics that pathwise bounds are about (`orsched.metrics.comparable`).
    policy, subject : str
        Who served what (`fluid.subject`).
    clock_s : float
        Latest time on the simulator's clock, which decides its rounding.

    Raises
    ------
    MismatchError
        When a bound is of another subject, or the policy did better than a pathwise bound allows.
    """
    allowed = frozenset(comparable)
    return {
        metric: _gap(bound, policy, values[metric], subject, clock_s)
        for metric, bound in best.items()
        if metric in values and metric in allowed
    }


def _gap(bound: Bound, policy: str, value: float, subject: str, clock_s: float) -> float:
    gap = bound.gap(value, metric=bound.metric, subject=subject)
    if bound.validity == "pathwise" and gap < -TOLERANCE - CLOCK * clock_s / bound.value:
        raise MismatchError(
            f"{policy} has {bound.metric} = {value} on {subject}, beyond the pathwise bound "
            f"{bound.name!r} = {bound.value}: the bound or the simulation is wrong, please report it"
        )
    return gap
