"""What no policy can beat: requests within their objectives on a path, and rates at which a share of them can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from experiments.fleet.searching import largest_kept
from experiments.fleet.spec_file import ScoringName
from fluid.fleets import Tier, deadline_goodput_bound, mean_tpot_goodput_bound, path_goodput_bound
from fluid.fleets.path_goodput import TierBound, class_rates
from fluid.subject import subject
from orsched.bound import Bound
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.objectives import Objectives
from orsched.workloads import Workload

PROGRAMMES: Mapping[ScoringName, TierBound] = {
    "deadlines": deadline_goodput_bound,
    "mean-tpot": mean_tpot_goodput_bound,
}
"""The bound on completions within objectives per second, by what counts as within the objective."""

SHARES: Mapping[ScoringName, str] = {"deadlines": "deadline_attainment", "mean-tpot": "slo_attainment"}
"""What the share of requests within their objectives is called in `orsched.metrics.METRICS`."""

ACCURACY = 1e-3
"""Relative accuracy of the largest multiple."""

LEAST_MULTIPLE = 1e-6
"""Smallest multiple of the rates that is looked at."""


@dataclass(frozen=True, slots=True)
class PathBound:
    """What no policy exceeds on one path.

    Parameters
    ----------
    bound : Bound, optional
        On the share of requests within their objectives; its certificate has their number, ``on_time``. None when
        there are no objectives, or nothing is proved for this path on this fleet.
    notice : str
        Why there is none, where there could be one; empty otherwise.
    """

    bound: Bound | None = None
    notice: str = ""

    @property
    def most_good(self) -> int | None:
        """Most requests within their objectives."""
        return None if self.bound is None else int(str(self.bound.certificate["on_time"]))


def path_bound(path: Workload, fleet: Fleet, scoring: ScoringName) -> PathBound:
    """Bound the requests within their objectives, for every policy on this path (`fluid.fleets.path_goodput_bound`).

    Instances that are off, starting or broken count as serving. Where nothing is proved (prompts that skip what others
    have processed, iterations that may take no time) there is no bound, and a notice.
    """
    try:
        found = path_goodput_bound(
            path, fleet, Objectives.of(path), tier_bound=PROGRAMMES[scoring], metric=SHARES[scoring]
        )
    except InputError as error:
        return PathBound(notice=f"bound left out: {error}")
    return PathBound(found)


def offered_tiers(path: Workload, multiple: float = 1.0) -> tuple[Tier, ...]:
    """The tiers of a path with the rates at which their requests arrive, times `multiple`.

    Rates are requests per second of the arrivals' span.
    """
    found = []
    for k, one in enumerate(path.classes):
        rows = path.class_id == k
        if rows.any() and one.slo is not None:
            found.append(
                Tier(one.name, one.slo.tpot_s, class_rates(path, rows, path.span_s / multiple), one.slo.ttft_s)
            )
    return tuple(found)


def largest_multiple(
    path: Workload, fleet: Fleet, scoring: ScoringName, attainment: float, least: float, most: float
) -> float:
    """Multiple of the path's rates beyond which nobody has a share `attainment` of the requests good in the long run.

    With f(s) the optimum of the programme at s times the rates, it is the largest s with ``f(s) >= attainment x
    offered``, from above. f is concave with ``f(0) = 0``, so ``f(s) / s`` does not grow and bisection finds it. It
    holds in the long run; a path that ends may be served faster than that for as long as its backlog is within the
    deadlines.

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
        Where to search first. Where the edge is not between them the search goes on beyond, so that the answer always
        holds; it is `LEAST_MULTIPLE` where the share cannot be reached at that.

    Raises
    ------
    InputError
        When no bound is proved for the path on the fleet, as `fluid.subject.subject` says.
    """
    subject(path, fleet)

    @cache
    def enough(multiple: float) -> bool:
        offered = offered_tiers(path, multiple)
        found = PROGRAMMES[scoring](offered, fleet.by_hardware()).bound.value
        return found >= attainment * sum(tier.rate_per_s for tier in offered)

    while enough(most):  # ends: completions per second are bounded, what is asked for is not
        least, most = most, 2 * most
    while least > LEAST_MULTIPLE and not enough(least):
        least, most = max(least / 8, LEAST_MULTIPLE), least
    return largest_kept(enough, least, most, ACCURACY).high
