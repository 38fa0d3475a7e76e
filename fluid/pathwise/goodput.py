"""Goodput that no policy can beat on one sample path."""

from __future__ import annotations

from collections.abc import Callable

from fluid.pathwise.alike import alike
from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.deadlines import Deadlines
from fluid.pathwise.makespan import least_makespan_s
from fluid.pathwise.rules import Rule, rules, sample_of, sample_rows
from fluid.planning import TOLERANCE
from fluid.subject import subject
from orsched.bound import Bound
from orsched.fitting import require_fit
from orsched.fleet import Fleet
from orsched.objectives import Objectives
from orsched.request import SLO
from orsched.workloads import Workload

_REACHES = (0.6, 0.9, 1.0)

Kinds = Callable[[Workload, Fleet, Objectives], dict[str, Deadlines]]
"""Deadlines, by name, each of which every request that counts keeps."""


def goodput_bounds(workload: Workload, fleet: Fleet, slo: SLO | Objectives) -> tuple[Bound, ...]:
    """Upper bounds on SLO attainment and goodput of this sample path, for every policy.

    Both are as `orsched.metrics.measure` counts them: a request meets its objective when its time to first token
    is at most ``ttft_s`` and, if it has more than one token, its mean time per output token after the
    first is at most ``tpot_s``; goodput is their number over the makespan of the whole path.

    The number of requests is bounded twice, by the deadlines of the first tokens alone and by those of the
    whole requests with limits on both legs (`fluid.pathwise.deadlines.Deadlines`): only requests that are on
    time use up the machine, all others may be served later or, for the bound, never. The makespan is at
    least that of `fluid.pathwise.makespan.planning_makespan_s` and the last critical path. So attainment is bounded
    for every policy, goodput for those that reject nobody: whoever rejects requests may be done earlier.

    Parameters
    ----------
    workload : Workload
        The sample path.
    fleet : Fleet
        What serves it; of unequal hardware the bounds are those of `fluid.pathwise.alike.alike`.
    slo : SLO or Objectives
        The same objective for all requests, or one for each.

    Returns
    -------
    tuple of Bound
        On ``slo_attainment`` and ``goodput_requests_per_s``.

    Raises
    ------
    InputError
        When a request does not fit into the KV memory of an instance: no policy completes it.
    """
    return _bounds(workload, fleet, slo, _mean_tpot, ("slo_attainment", "goodput_requests_per_s"))


def deadline_goodput_bounds(workload: Workload, fleet: Fleet, slo: SLO | Objectives) -> tuple[Bound, ...]:
    """Upper bounds for requests that keep cumulative deadlines: token i within ``ttft_s + i tpot_s`` of the arrival.

    As `goodput_bounds`, without the leg from the first token to the last: an early first token leaves more time for
    the rest. What is used of the deadlines is the first and the last of them, so these bounds are valid for the mean
    time per token too.

    Parameters
    ----------
    workload, fleet, slo
        As for `goodput_bounds`.

    Returns
    -------
    tuple of Bound
        On ``deadline_attainment`` and ``deadline_goodput_requests_per_s``.
    """
    return _bounds(workload, fleet, slo, _cumulative, ("deadline_attainment", "deadline_goodput_requests_per_s"))


def _bounds(
    workload: Workload, fleet: Fleet, slo: SLO | Objectives, kinds: Kinds, metrics: tuple[str, str]
) -> tuple[Bound, ...]:
    require_fit(workload, fleet)
    objectives = Objectives.same(slo, len(workload)) if isinstance(slo, SLO) else slo
    identity, same = subject(workload, fleet), alike(fleet)
    on_time, facts = _most_on_time(workload, same, objectives, kinds)
    makespan = least_makespan_s(workload, same)
    rate = on_time / makespan * (1 + TOLERANCE)
    facts |= {"on_time": on_time, "makespan_s": makespan, "slo": slo, "relative_tolerance": TOLERANCE}
    values = (on_time / len(workload), rate)
    return tuple(
        Bound("deadline", value, "upper", metric, "pathwise", True, identity, facts)
        for metric, value in zip(metrics, values, strict=True)
    )


def _most_on_time(
    workload: Workload, fleet: Fleet, objectives: Objectives, kinds: Kinds
) -> tuple[int, dict[str, object]]:
    """Best bound over the rules, chosen on a stretch of the path."""
    sample = sample_of(workload)
    tried = rules(sample, fleet, _REACHES)
    found: list[tuple[int, str, Rule]] = []
    stretches = kinds(sample, fleet, objectives.slice(*sample_rows(workload)))
    for kind, deadlines in kinds(workload, fleet, objectives).items():
        counts = [rule.most_on_time(stretches[kind]) for rule in tried]
        rule = tried[counts.index(min(counts))]
        found.append((rule.most_on_time(deadlines), kind, rule))
    on_time, kind, rule = min(found, key=lambda entry: entry[0])
    return on_time, {"deadlines": kind, "rule": rule}


def _mean_tpot(workload: Workload, fleet: Fleet, objectives: Objectives) -> dict[str, Deadlines]:
    paths = CriticalPaths.of(workload, fleet)
    return {
        "first-token": _first_token(workload, fleet, paths, objectives),
        "objective": Deadlines.objective(workload, fleet, paths, objectives),
    }


def _cumulative(workload: Workload, fleet: Fleet, objectives: Objectives) -> dict[str, Deadlines]:
    paths = CriticalPaths.of(workload, fleet)
    return {
        "first-token": _first_token(workload, fleet, paths, objectives),
        "whole-life": Deadlines.whole_life(workload, fleet, paths, objectives),
        "two-legs": Deadlines.two_legs(workload, fleet, paths, objectives),
    }


def _first_token(workload: Workload, fleet: Fleet, paths: CriticalPaths, objectives: Objectives) -> Deadlines:
    life_s = objectives.life_s(workload.output_tokens)
    return Deadlines.first_token(workload, fleet, paths, objectives.ttft_s, life_s)
