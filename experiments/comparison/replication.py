"""One sample path: draw it, bound it, and let every policy serve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import fluid
from experiments.comparison.experiment import Experiment
from experiments.comparison.pathwise_gaps import best_bounds, pathwise_gaps
from experiments.comparison.serving import serve
from experiments.paths.streams import Stream, generator, seed_sequence
from orsched.bound import Bound
from orsched.errors import InputError
from orsched.policy import Policy
from orsched.statistics.stability import Stability
from orsched.workloads.sources import WorkloadSource


@dataclass(frozen=True, slots=True)
class Task:
    """One load, one replication, and the policies built for that load."""

    load: float
    replication: int
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one policy did on one sample path; `gaps` holds each metric that has a valid bound and compares with it."""

    metrics: Mapping[str, float]
    gaps: Mapping[str, float]
    stability: Stability


@dataclass(frozen=True, slots=True)
class Path:
    """One sample path: its load if the fleet has one, its bounds, and an outcome for each policy by name."""

    load: float | None
    replication: int
    bounds: tuple[Bound, ...]
    outcomes: Mapping[str, Outcome]


def replicate(experiment: Experiment, source: WorkloadSource, task: Task) -> Path:
    """Run one task; a pure function of its arguments.

    The path is drawn from the replication's workload stream and rescaled in time to the task's load, so it
    differs between loads by its clock only.

    Raises
    ------
    InputError
        When two of the policies have the same name: an outcome is found by it.
    """
    rng = generator(experiment.seed, Stream.WORKLOAD, task.replication)
    fleet = experiment.fleet
    workload = source.draw(experiment.requests, rng).at_load(task.load, fleet)
    bounds = fluid.bounds(workload, fleet, experiment.slo)
    subject = fluid.subject(workload, fleet)
    best = best_bounds(bounds)
    outcomes = {}
    for policy in task.policies:
        if policy.name in outcomes:
            raise InputError(f"two policies are called {policy.name!r}: names must differ")
        seed = seed_sequence(experiment.seed, Stream.POLICY, task.replication)
        served = serve(
            workload, fleet, policy, seed, load=task.load, slo=experiment.slo, warm_up_rule=experiment.warm_up
        )
        gaps = pathwise_gaps(
            best, served.whole, served.comparable, policy=policy.name, subject=subject, clock_s=served.clock_s
        )
        outcomes[policy.name] = Outcome(served.shown, gaps, served.stability)
    return Path(task.load, task.replication, bounds, outcomes)
