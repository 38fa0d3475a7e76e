"""One sample path of a fleet experiment: draw it, bound it, let every policy serve it, check and judge the runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.fleet.bounding import PathBound, largest_multiple, path_bound
from experiments.fleet.conservation import require_conserved
from experiments.fleet.fault_effects import FaultEffects, fault_effects, together
from experiments.fleet.kept_runs import run_file
from experiments.fleet.outcome import Judged, arrivals_left_out, good_requests, judge
from experiments.fleet.searching import Bracket, largest_kept
from experiments.fleet.spec import Contender, FleetExperiment
from experiments.fleet.spec_file import GoodputTable
from experiments.paths.streams import Stream, seed_sequence
from orsched.engine.simulation import simulate
from orsched.errors import MismatchError, OrschedError
from orsched.faults import Fault
from orsched.run import Run
from orsched.run_files import save_run
from orsched.scoring import horizon_s
from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Served:
    """How one policy did on one path.

    Parameters
    ----------
    judged : Judged
        Its numbers.
    sustained_per_s : Bracket, optional
        Around the largest rate at which it kept the attainment level, requests per second; None when that was not asked
        for.
    """

    judged: Judged
    sustained_per_s: Bracket | None


@dataclass(frozen=True, slots=True)
class PathResult:
    """One path: what arrived, its bounds, and how each policy did, by label.

    Parameters
    ----------
    replication : int
        Which path.
    rate_per_s, span_s : float
        Requests per second of the arrivals' span; that span, seconds.
    end_s : float
        From the first arrival to the last completion or arrival under any policy, seconds.
    faults : int
        How many may happen on it.
    effects : FaultEffects
        What became of the listed ones, under all policies.
    left_out : int
        First arrivals that times and attainment leave out, for all policies.
    limit : PathBound
        On the requests within their objectives.
    sustained_bound_per_s : float, optional
        On the largest rate that keeps the attainment level, in the long run; None when that was not asked for, or
        nothing is proved.
    served : mapping of str to Served
        By label, in the order of the experiment.
    """

    replication: int
    rate_per_s: float
    span_s: float
    end_s: float
    faults: int
    effects: FaultEffects
    left_out: int
    limit: PathBound
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
    limit = path_bound(path, experiment.fleet, experiment.scoring) if experiment.judged else PathBound()
    served: dict[str, Served] = {}
    effects: list[FaultEffects] = []
    end_s, left_out = 0.0, 0
    for place, contender in enumerate(experiment.contenders):
        run = run_of(experiment, contender, path, faults, replication)
        require_conserved(run)
        effects.append(fault_effects(run, experiment.faults))
        end_s = max(end_s, horizon_s(run))
        if not place:
            left_out = arrivals_left_out(run, experiment.warm_up)
        judged = judge(run, path, experiment.scoring, left_out)
        _require_bounded(contender.label, judged, limit)
        if folder is not None:
            save_run(run, folder / run_file(place, contender.label, replication))
        sustained = None
        if experiment.goodput is not None:
            sustained = _sustained_per_s(experiment, contender, path, replication, experiment.goodput)
        served[contender.label] = Served(judged, sustained)
    most_per_s = None
    if (table := experiment.goodput) is not None and limit.bound is not None:
        most_per_s = path.rate_per_s * largest_multiple(
            path, experiment.fleet, experiment.scoring, experiment.attainment, table.least, table.most
        )
    return PathResult(
        replication,
        path.rate_per_s,
        path.span_s,
        end_s,
        len(faults),
        together(effects),
        left_out,
        limit,
        most_per_s,
        served,
    )


def run_of(
    experiment: FleetExperiment,
    contender: Contender,
    path: Workload,
    faults: tuple[Fault, ...],
    replication: int,
    sample_every_s: float | None = None,
) -> Run:
    """Let a policy serve a path; the run does not depend on whether its load is sampled.

    Raises
    ------
    OrschedError
        When it cannot be served to its end; names the policy and the path.
    """
    try:
        return simulate(
            path,
            experiment.fleet,
            contender.policy,
            seed_sequence(experiment.paths.seed, Stream.POLICY, replication),
            faults=faults,
            sample_every_s=sample_every_s,
            token_gaps=True,
            deadlines=experiment.judged and experiment.scoring == "deadlines",
        )
    except OrschedError as error:
        raise type(error)(f"{contender.label}, path {replication}: {error}") from None


def _sustained_per_s(
    experiment: FleetExperiment, contender: Contender, path: Workload, replication: int, table: GoodputTable
) -> Bracket:
    """Squeeze the path in time until the policy no longer keeps the attainment level; nothing breaks."""

    def kept(multiple: float) -> bool:
        squeezed = path.at_rate(multiple * path.rate_per_s)
        run = run_of(experiment, contender, squeezed, (), replication)
        require_conserved(run)
        return bool(good_requests(run, squeezed, experiment.scoring).mean() >= experiment.attainment)

    return largest_kept(kept, table.least, table.most, table.tolerance).times(path.rate_per_s)


def _require_bounded(label: str, judged: Judged, limit: PathBound) -> None:
    most = limit.most_good
    if most is not None and judged.good is not None and judged.good > most:
        assert limit.bound is not None
        raise MismatchError(
            f"{label} has {judged.good:,} requests within their objectives, beyond the bound {limit.bound.name!r} = "
            f"{most:,}: the bound or the simulation is wrong, please report it"
        )
