"""Goodput that no policy can beat on one sample path."""

from __future__ import annotations

from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.deadlines import Deadlines
from fluid.pathwise.makespan import least_makespan_s
from fluid.pathwise.rules import Rule, rules, sample_of
from fluid.planning import TOLERANCE
from fluid.subject import subject
from orsched.bound import Bound
from orsched.fitting import require_fit
from orsched.fleet import Fleet
from orsched.request import SLO
from orsched.workloads import Workload

_REACHES = (0.6, 0.9, 1.0)


def goodput_bounds(workload: Workload, fleet: Fleet, slo: SLO) -> tuple[Bound, ...]:
    """Upper bounds on SLO attainment and goodput of this sample path, for every policy.

    Both are as `orsched.metrics.measure` counts them: a request meets its objective when its time to first token
    is at most ``ttft_s`` and, if it has more than one token, its mean time per output token after the
    first is at most ``tpot_s``; goodput is their number over the makespan of the whole path.

    The number of requests is bounded twice, by the deadlines of the first tokens alone and by those of the
    whole requests with limits on both legs (`fluid.pathwise.deadlines.Deadlines`): only requests that are on
    time use up the machine, all others may be served later or, for the bound, never. The makespan is at
    least that of `fluid.pathwise.makespan.planning_makespan_s` and the last critical path.

    Parameters
    ----------
    workload : Workload
        The sample path.
    fleet : Fleet
        What serves it.
    slo : SLO
        The objective, the same for all requests.

    Returns
    -------
    tuple of Bound
        On ``slo_attainment`` and ``goodput_requests_per_s``.

    Raises
    ------
    InputError
        When a request does not fit into the KV memory of an instance: no policy completes it.
    """
    require_fit(workload, fleet)
    identity = subject(workload, fleet)
    on_time, facts = _most_on_time(workload, fleet, slo)
    makespan = least_makespan_s(workload, fleet)
    rate = on_time / makespan * (1 + TOLERANCE)
    facts |= {"on_time": on_time, "makespan_s": makespan, "slo": slo, "relative_tolerance": TOLERANCE}
    share = on_time / len(workload)
    return (
        Bound("deadline", share, "upper", "slo_attainment", "pathwise", True, identity, facts),
        Bound("deadline", rate, "upper", "goodput_requests_per_s", "pathwise", True, identity, facts),
    )


def _most_on_time(workload: Workload, fleet: Fleet, slo: SLO) -> tuple[int, dict[str, object]]:
    """Best bound over the rules, chosen on a stretch of the path."""
    sample = sample_of(workload)
    tried = rules(sample, fleet, _REACHES)
    found: list[tuple[int, str, Rule]] = []
    stretches = _deadlines(sample, fleet, slo)
    for kind, deadlines in _deadlines(workload, fleet, slo).items():
        counts = [rule.most_on_time(stretches[kind]) for rule in tried]
        rule = tried[counts.index(min(counts))]
        found.append((rule.most_on_time(deadlines), kind, rule))
    on_time, kind, rule = min(found, key=lambda entry: entry[0])
    return on_time, {"deadlines": kind, "rule": rule}


def _deadlines(workload: Workload, fleet: Fleet, slo: SLO) -> dict[str, Deadlines]:
    paths = CriticalPaths.of(workload, fleet)
    return {
        "first-token": Deadlines.first_token(workload, fleet, paths, slo.ttft_s),
        "objective": Deadlines.objective(workload, fleet, paths, slo),
    }
