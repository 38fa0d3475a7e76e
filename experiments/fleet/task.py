"""One sample path of a fleet experiment: draw it, bound it, let every policy serve it, check and judge the runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.fleet.bounding import largest_multiple, path_goodput_bound
from experiments.fleet.conservation import require_conserved
from experiments.fleet.outcome import Judged, good_requests, judge
from experiments.fleet.searching import largest_kept
from experiments.fleet.spec import Contender, FleetExperiment
from experiments.fleet.spec_file import GoodputTable
from experiments.streams import Stream, seed_sequence
from orsched.bound import Bound
from orsched.engine.simulation import simulate
from orsched.errors import MismatchError
from orsched.faults import Fault
from orsched.fleet_log import FleetLog
from orsched.run import Run
from orsched.run_files import save_run
from orsched.workloads import Workload

TOLERANCE = 1e-9
"""Relative rounding allowed before a policy is said to have beaten the bound of its path."""

SAMPLES = 200
"""Samples of the load over the arrivals' span, unless the experiment says how far apart they are."""


@dataclass(frozen=True, slots=True)
class Served:
    """How one policy did on one path.

    Parameters
    ----------
    judged : Judged
        Its numbers.
    sustained_per_s : float, optional
        Largest rate at which it kept the attainment level, requests per second; None when that was not asked for.
    log : FleetLog, optional
        What happened, on the first path only.
    """

    judged: Judged
    sustained_per_s: float | None
    log: FleetLog | None


@dataclass(frozen=True, slots=True)
class PathResult:
    """One path: what arrived, its bounds, and how each policy did, by label.

    Parameters
    ----------
    replication : int
        Which path.
    rate_per_s : float
        Requests per second of the arrivals' span.
    end_s : float
        Time of the last completion or arrival of any policy.
    bound : Bound, optional
        On goodput, for this path; None without objectives.
    sustained_bound_per_s : float, optional
        On the largest rate that keeps the attainment level, in the long run; None when that was not asked for.
    served : mapping of str to Served
        By label, in the order of the experiment.
    """

    replication: int
    rate_per_s: float
    bound: Bound | None
    sustained_bound_per_s: float | None
    served: Mapping[str, Served]


def serve(experiment: FleetExperiment, replication: int, folder: Path | None) -> PathResult:
    """Run one path; a pure function of its arguments, but for the runs it writes to `folder`, if any.

    Raises
    ------
    MismatchError
        When a run does not conserve requests and tokens, or beats the bound of its path.
    """
    path = experiment.paths.draw(replication)
    faults = experiment.faults_of(replication)
    bound = path_goodput_bound(path, experiment.fleet, experiment.scoring) if experiment.judged else None
    served = {}
    for contender in experiment.contenders:
        run = _run(experiment, contender, path, faults, replication)
        judged = judge(run, path, experiment.scoring, experiment.warm_up)
        _require_bounded(contender.label, judged, bound)
        if folder is not None:
            save_run(run, folder / f"{contender.label.replace('/', '_')}-{replication}.parquet")
        sustained = None
        if experiment.goodput is not None:
            sustained = _sustained_per_s(experiment, contender, path, faults, replication, experiment.goodput)
        served[contender.label] = Served(judged, sustained, None if replication else run.log)
    limit = None
    if (table := experiment.goodput) is not None:
        limit = path.rate_per_s * largest_multiple(
            path, experiment.fleet, experiment.scoring, experiment.attainment, table.least, table.most
        )
    return PathResult(replication, path.rate_per_s, bound, limit, served)


def _run(
    experiment: FleetExperiment, contender: Contender, path: Workload, faults: tuple[Fault, ...], replication: int
) -> Run:
    sample_every_s = experiment.sample_every_s or path.span_s / SAMPLES
    run = simulate(
        path,
        experiment.fleet,
        contender.policy,
        seed_sequence(experiment.paths.seed, Stream.POLICY, replication),
        faults=faults,
        sample_every_s=None if replication else sample_every_s,
        token_gaps=True,
        deadlines=experiment.judged and experiment.scoring == "deadlines",
    )
    require_conserved(run)
    return run


def _sustained_per_s(
    experiment: FleetExperiment,
    contender: Contender,
    path: Workload,
    faults: tuple[Fault, ...],
    replication: int,
    table: GoodputTable,
) -> float:
    """Squeeze the path in time until the policy no longer keeps the attainment level."""

    def kept(multiple: float) -> bool:
        squeezed = path.at_rate(multiple * path.rate_per_s)
        run = _run(experiment, contender, squeezed, faults, replication)
        return bool(good_requests(run, squeezed, experiment.scoring).mean() >= experiment.attainment)

    return path.rate_per_s * largest_kept(kept, table.least, table.most, table.tolerance)


def _require_bounded(label: str, judged: Judged, bound: Bound | None) -> None:
    found = judged.metrics.get("goodput_per_s")
    if bound is not None and found is not None and found > bound.value * (1 + TOLERANCE):
        raise MismatchError(
            f"{label} has {found} requests within objectives per second, beyond the bound {bound.name!r} = "
            f"{bound.value}: the bound or the simulation is wrong, please report it"
        )
