"""What no policy can beat on a path: the goodput programme of several objectives, at the offered rate and beyond it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from experiments.fleet.spec_file import ScoringName
from fluid import ClassRate
from fluid.fleets import GoodputBound, Tier, deadline_goodput_bound, mean_tpot_goodput_bound
from orsched.bound import Bound
from orsched.fleet import Fleet
from orsched.workloads import Workload

Programme = Callable[[Sequence[Tier], Sequence[Fleet]], GoodputBound]

PROGRAMMES: Mapping[ScoringName, Programme] = {
    "deadlines": deadline_goodput_bound,
    "mean-tpot": mean_tpot_goodput_bound,
}
"""The bound on completions within objectives per second, by what counts as within the objective."""

ACCURACY = 1e-3
"""Relative accuracy of the largest multiple."""


def offered_tiers(path: Workload, multiple: float = 1.0) -> tuple[Tier, ...]:
    """The tiers of a path with the rates at which their requests arrive, times `multiple`.

    Rates are requests per second of the arrivals' span.
    """
    found = []
    for k, one in enumerate(path.classes):
        rows = path.class_id == k
        if rows.any() and one.slo is not None:
            lengths = np.column_stack([path.input_tokens[rows], path.output_tokens[rows]])
            pairs, counts = np.unique(lengths, axis=0, return_counts=True)
            rates = multiple * counts / path.span_s
            mix = tuple(ClassRate(*row) for row in zip(rates.tolist(), *pairs.T.tolist(), strict=True))
            found.append(Tier(one.name, one.slo.tpot_s, mix, one.slo.ttft_s))
    return tuple(found)


def path_goodput_bound(path: Workload, fleet: Fleet, scoring: ScoringName) -> Bound:
    """Bound the requests within their objectives per second, for every policy on this path.

    Valid for the path itself, not only in the long run: the programme's rows hold for any set of good requests that
    live within H seconds, with rates per second of H (`fluid.fleets.deadline_goodput_bound`, "Finite runs").
    `orsched.scoring.horizon_s` is such an H, and not shorter than the span of the arrivals: rates per second of the
    span are not smaller, and the optimum does not fall when rates grow. Instances that are off, starting or broken
    count as serving.
    """
    return PROGRAMMES[scoring](offered_tiers(path), fleet.by_hardware()).bound


def largest_multiple(
    path: Workload, fleet: Fleet, scoring: ScoringName, attainment: float, least: float, most: float
) -> float:
    """Largest multiple of the path's rates at which a share `attainment` of the requests can be good in the long run.

    With f(s) the optimum of the programme at s times the rates, this is the largest s with ``f(s) >= attainment x
    offered``. f is concave with ``f(0) = 0``, so ``f(s) / s`` does not grow and bisection finds it. It holds in the
    long run; a path that ends may be served faster than that for as long as its backlog is within the deadlines.

    Parameters
    ----------
    path : Workload
        Lengths, tiers and rates.
    fleet : Fleet
        All of it counts as serving.
    scoring : {"mean-tpot", "deadlines"}
        What is good.
    attainment : float
        Share of requests, in (0, 1].
    least, most : float
        Where to search; the answer is cut to these.
    """

    def enough(multiple: float) -> bool:
        offered = offered_tiers(path, multiple)
        found = PROGRAMMES[scoring](offered, fleet.by_hardware()).bound.value
        return found >= attainment * sum(tier.rate_per_s for tier in offered)

    if enough(most):
        return most
    low, high = least, most
    while high > low * (1 + ACCURACY):
        middle = (low * high) ** 0.5
        if enough(middle):
            low = middle
        else:
            high = middle
    return high
