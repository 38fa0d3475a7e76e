"""Requests of one sample path that any policy can serve within their objectives, on a fleet of several chips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fluid.demand import ClassRate
from fluid.fleets.deadline_goodput import deadline_goodput_bound
from fluid.fleets.goodput_bound import GoodputBound
from fluid.fleets.tier import Tier
from fluid.pathwise.deadlines import clock_s
from fluid.planning import TOLERANCE
from fluid.subject import subject
from orsched.bound import Bound
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.objectives import Objectives
from orsched.work import Floats
from orsched.workloads import Workload

MOST_LEVELS = 4
"""Most distinct limits of a kind, TTFT or TPOT, that the programme tells apart."""


class TierBound(Protocol):
    """A bound on the goodput of tiers; `fluid.fleets.deadline_goodput_bound` is one."""

    def __call__(
        self, tiers: Sequence[Tier], fleets: Sequence[Fleet], *, time_limit_s: float | None = None
    ) -> GoodputBound:
        """Bound weighted completions per second."""
        ...


def path_goodput_bound(
    workload: Workload,
    fleet: Fleet,
    objectives: Objectives,
    *,
    tier_bound: TierBound = deadline_goodput_bound,
    metric: str = "deadline_attainment",
    time_limit_s: float | None = None,
) -> Bound:
    """Upper bound on the share of the requests of a sample path that keep their objectives, for every policy.

    Whatever a policy does, also if it rejects requests, and whenever it stops: a request that keeps its objective
    lives between its arrival and ``arrival + TTFT + (o - 1) TPOT``, under all three scorings. So all that do live
    within the H seconds from the first arrival to the latest of these deadlines, and no others need to be served.
    Their number is at most H times the goodput LP's optimum for the rates (requests of each class and objective) / H:
    its rows hold for sums over a set of requests that lives within H seconds, see the end of the proof of
    `fluid.fleets.deadline_goodput_bound`. Rounded down.

    Limits are enlarged by 1e-9 and by what a clock may err (`fluid.pathwise.deadlines.clock_s`). Where there are more
    than `MOST_LEVELS` distinct values of a limit, each is replaced by the least of `MOST_LEVELS` of them that is not
    below it: whoever keeps its objective keeps that one.

    Compared with `fluid.pathwise.goodput` it knows several chips and every minorant at once, but no time
    between the first arrival and the last deadline: a burst is spread over all of H.

    Parameters
    ----------
    workload : Workload
        The sample path.
    fleet : Fleet
        What serves it; hardware may differ. Roles, links and start-up times are left out: any fleet of these instances.
    objectives : Objectives
        One per request.
    tier_bound : TierBound
        By which scoring a request counts: cumulative deadlines, or another goodput LP of this package.
    metric : str
        What the share is called, to match: ``slo_attainment`` for `fluid.fleets.mean_tpot_goodput_bound`.
    time_limit_s : float, optional
        For the solver; the bound is then what its dual proves at that time.

    Raises
    ------
    InputError
        When there are not as many objectives as requests; as `fluid.subject.subject` does, when prompts may skip what
        others have processed.
    """
    identity = subject(workload, fleet)
    if len(objectives) != len(workload):
        raise InputError(f"{len(objectives)} objectives for {len(workload)} requests: give one for each")
    life_s = objectives.life_s(workload.output_tokens)
    slack_s = clock_s(workload, life_s)
    latest = workload.arrival_s + life_s
    horizon = float(np.max(latest) - workload.arrival_s[0]) * (1 + TOLERANCE) + slack_s
    tiers = _tiers(workload, objectives, horizon, slack_s)
    found = tier_bound(tiers, fleet.by_hardware(), time_limit_s=time_limit_s)
    count = min(len(workload), math.floor(found.bound.value * horizon * (1 + TOLERANCE)))
    facts = {"on_time": count, "horizon_s": horizon, **found.bound.certificate}
    return Bound(f"path-{found.bound.name}", count / len(workload), "upper", metric, "pathwise", True, identity, facts)


def _tiers(workload: Workload, objectives: Objectives, horizon_s: float, slack_s: float) -> list[Tier]:
    """Requests by their objective, at their number per second of the horizon; limits enlarged by what a clock errs."""
    limits = np.column_stack([_rounded_up(objectives.ttft_s), _rounded_up(objectives.tpot_s)])
    kinds, kind = np.unique(limits, axis=0, return_inverse=True)
    tiers = []
    for k, (ttft, tpot) in enumerate(kinds.tolist()):
        classes = class_rates(workload, kind.reshape(-1) == k, horizon_s)
        name = f"TTFT {ttft:g} s, TPOT {tpot:g} s ({k})"
        tiers.append(Tier(name, tpot * (1 + TOLERANCE) + slack_s, classes, ttft * (1 + TOLERANCE) + slack_s))
    return tiers


def class_rates(workload: Workload, rows: NDArray[np.bool_], seconds: float) -> tuple[ClassRate, ...]:
    """The distinct lengths of some requests of a workload, each at its number per second of `seconds`."""
    lengths = np.column_stack([workload.input_tokens[rows], workload.output_tokens[rows]])
    pairs, counts = np.unique(lengths, axis=0, return_counts=True)
    return tuple(ClassRate(rate, *pair) for rate, pair in zip((counts / seconds).tolist(), pairs.tolist(), strict=True))


def _rounded_up(limits_s: Floats) -> Floats:
    """Each limit, or the next of a few of them, so that no more than `MOST_LEVELS` are distinct."""
    distinct = np.unique(limits_s)
    if len(distinct) <= MOST_LEVELS:
        return limits_s
    levels = np.quantile(distinct, np.arange(1, MOST_LEVELS + 1) / MOST_LEVELS, method="higher")
    found: Floats = levels[np.searchsorted(levels, limits_s)]
    return found
