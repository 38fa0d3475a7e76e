"""From sample paths to a gap table: means and intervals over replications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from experiments.comparison.build import Unavailable
from experiments.comparison.experiment import Experiment
from experiments.comparison.pathwise_gaps import best_bounds
from experiments.comparison.replication import Path
from experiments.comparison.runner import Results, run_experiment
from experiments.paths.source import WorkloadLike
from orsched.bound import Bound, Validity, best_bound
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.gap_table import Gap, GapRow, GapTable
from orsched.policy import Policy
from orsched.statistics.estimate import Estimate, estimate
from orsched.statistics.stability import FEWEST_REQUESTS, Stability
from orsched.workloads import Workload

LOADS = (0.5, 0.7, 0.9, 0.97)
_STRENGTH: tuple[Validity, ...] = ("pathwise", "fluid", "asymptotic")


def gap_table(
    workload: WorkloadLike,
    fleet: Fleet,
    policies: str | Policy | Sequence[str | Policy],
    *,
    loads: float | Sequence[float] | None = None,
    replications: int = 20,
    requests: int = 2_000,
    seed: int = 0,
    router: str | None = None,
    drop_oversized: bool = False,
    predictor: str | None = None,
    workers: int | None = None,
    on_task_done: Callable[[], None] = lambda: None,
) -> GapTable:
    """Measure how far policies are from what no policy can beat.

    Parameters
    ----------
    workload : str, Path, Workload or WorkloadSource
        A catalogue name, the path of a file, requests to resample, or a source of sample paths.
    fleet : Fleet
        What serves them.
    policies : str, Policy, or sequence of them
        Registry names (``"vllm-v1"``) or policies of your own.
    loads : float or sequence of float, optional
        Loads to measure at. Default: the load a `Workload` has on `fleet`; 0.5, 0.7, 0.9 and 0.97 for a name.
    replications, requests, seed : int
        Sample paths, requests in each, seed of every random stream.
    router : str, optional
        For a fleet of several instances.
    drop_oversized : bool
        Leave out the requests of a trace that no instance can hold, with a notice, instead of refusing it.
    predictor : str, optional
        Predicted output lengths for every policy that uses lengths (`policies.build_predictor`), as ``"noise:0.5"``.
    workers : int, optional
        Processes; None: as many cores as pay off. The table does not depend on it.
    on_task_done : callable
        Called after each sample path, for progress.

    Returns
    -------
    GapTable
        `print` it, or see `GapTable.to_frame` and `experiments.render`.
    """
    if isinstance(policies, str | Policy):
        policies = [policies]
    if isinstance(loads, int | float):
        loads = [loads]
    if loads is None:
        loads = (workload.load_on(fleet),) if isinstance(workload, Workload) else LOADS
    experiment = Experiment(
        workload=workload,
        fleet=fleet,
        policies=tuple(policies),
        loads=tuple(loads),
        requests=requests,
        replications=replications,
        seed=seed,
        router=router,
        drop_oversized=drop_oversized,
        predictor=predictor,
    )
    return tabulate(run_experiment(experiment, workers=workers, on_task_done=on_task_done))


def tabulate(results: Results) -> GapTable:
    """Summarise the replications of an experiment."""
    experiment = results.experiment
    rows = [gap_row(results, load, policy) for load in experiment.loads for policy in results.policies[load]]
    table = GapTable(
        workload=results.workload,
        fleet=experiment.fleet.name,
        requests=experiment.requests,
        replications=experiment.replications,
        seed=experiment.seed,
        rows=tuple(rows),
        predictor=experiment.predictor,
    )
    lost = [notice for load in experiment.loads for notice in _lost(table.at(load), results.at(load))]
    return replace(table, notices=(*results.notices, *lost))


def _lost(place: str, paths: Sequence[Path]) -> list[str]:
    gaps = {metric for path in paths for outcome in path.outcomes.values() for metric in outcome.gaps}
    return lost_gaps(place, [best_bounds(path.bounds) for path in paths], gaps)


def lost_gaps(place: str, bounded: Sequence[Collection[str]], gaps: Collection[str]) -> list[str]:
    """Say which gaps of a column are left out because some of its paths have no positive bound to be relative to.

    Parameters
    ----------
    place : str
        Where the column stands, in words.
    bounded : sequence of collections of str
        Metrics that have such a bound, path by path.
    gaps : collection of str
        Metrics that a policy has a gap of on some path.
    """
    lacking: dict[int, list[str]] = {}
    for metric in sorted(gaps):
        lacking.setdefault(sum(metric not in best for best in bounded), []).append(metric)
    return [
        f"gap on {', '.join(metrics)} at {place} left out: {count} of {len(bounded)} paths have no relative bound"
        for count, metrics in sorted(lacking.items())
        if count
    ]


def gap_row(results: Results, load: float, policy: Policy | Unavailable) -> GapRow:
    """Summarise `policy`, one of those built for `load`."""
    if isinstance(policy, Unavailable):
        return GapRow.not_run(policy.name, policy.information.label, load, policy.reason)
    row = row_of_paths(policy.name, load, results.at(load), results.experiment.requests)
    return replace(row, information=policy.information.label, settings=dict(policy.settings))


def row_of_paths(policy: str, load: float | None, paths: Sequence[Path], requests: int) -> GapRow:
    """Summarise what became of `policy` on `paths`; what it knows and its settings are for the caller to add.

    `load` is None where the fleet has none: the caller says where the row stands instead (`GapRow.at`).
    """
    outcomes = [path.outcomes[policy] for path in paths]
    verdicts = [outcome.stability for outcome in outcomes]
    stable, reason = pooled_stability(load, verdicts, requests)
    values = _columns([outcome.metrics for outcome in outcomes])
    metrics = _estimates(values)
    return GapRow(
        policy=policy,
        information="",
        load=load,
        metrics=metrics,
        gaps={
            metric: _gap(metric, paths, found)
            for metric, found in _columns([outcome.gaps for outcome in outcomes]).items()
        },
        stable=stable,
        unstable_replications=sum(not verdict.stable for verdict in verdicts),
        replications=len(paths),
        reason="; ".join(filter(None, (reason, _turned_away(metrics["rejected_share"])))),
        values=values,
    )


def _turned_away(share: Estimate) -> str:
    """Say what rejections take away from a row; nothing where there were none."""
    if not share.mean > 0:
        return ""
    return (
        f"{share.mean:.2%} of the requests were rejected: times are those of the others, and bounds on times and "
        "rates, which assume that every request completes, do not apply"
    )


def pooled_stability(load: float | None, verdicts: Sequence[Stability], requests: int) -> tuple[bool, str]:
    """Pool the replications: unstable when most of them are, or, at load >= 1, when they grow on average.

    Below load 1 growth must be shown; from load 1 on the theory predicts it, and a short path that happens to
    stay level proves nothing. Where the fleet has no load nothing is predicted, and growth must be shown.
    """
    unstable = [verdict for verdict in verdicts if not verdict.stable]
    if 2 * len(unstable) > len(verdicts):
        return False, unstable[0].reason
    growth_per_s = sum(verdict.growth_per_s for verdict in verdicts) / len(verdicts)
    if load is not None and load >= 1 and growth_per_s > 0:
        return (
            False,
            f"unstable: load {load:.4g} >= 1 and the number in system grows by {growth_per_s:.2g} requests/s",
        )
    doubtful = requests < FEWEST_REQUESTS or (load is not None and load >= 1)
    return True, verdicts[0].reason if doubtful else ""


def _columns(observations: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """Collect what every replication has; a quantity that one of them lacks is left out."""
    common = [name for name in observations[0] if all(name in row for row in observations)]
    return {name: tuple(row[name] for row in observations) for name in common}


def _estimates(values: Mapping[str, tuple[float, ...]]) -> dict[str, Estimate]:
    return {name: estimate(found) for name, found in values.items()}


def _gap(metric: str, paths: Sequence[Path], values: tuple[float, ...]) -> Gap:
    used = [_best(path.bounds, metric) for path in paths]
    names = [name for name, _ in Counter(bound.name for bound in used).most_common()]
    return Gap(
        metric=metric,
        estimate=estimate(values),
        bound=" / ".join(names),
        bound_value=estimate([bound.value for bound in used]),
        validity=max((bound.validity for bound in used), key=_STRENGTH.index),
        certified=all(bound.certified for bound in used),
        values=values,
    )


def _best(bounds: Sequence[Bound], metric: str) -> Bound:
    bound = best_bound(bounds, metric)
    if bound is None:
        raise InputError(f"no valid bound on {metric}, although a gap to one was measured")
    return bound
