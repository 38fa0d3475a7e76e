"""One sample path: draw it, bound it, and let every policy serve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import fluid
from experiments.experiment import Experiment
from experiments.streams import Stream, generator, seed_sequence
from orsched.bound import Bound, best_bound
from orsched.engine.simulation import simulate
from orsched.errors import MismatchError
from orsched.metrics import comparable, measure
from orsched.policy import Policy
from orsched.run import Run
from orsched.stability import Stability, stability
from orsched.warmup import warm_up
from orsched.workloads.sources import WorkloadSource

TOLERANCE = 1e-9
"""Relative rounding allowed before a policy is said to have beaten a pathwise bound."""

CLOCK = 1e-14
"""Rounding of a simulated time, relative to the time on the clock."""


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
    """One sample path: its bounds, and an outcome for each policy by name."""

    load: float
    replication: int
    bounds: tuple[Bound, ...]
    outcomes: Mapping[str, Outcome]


def replicate(experiment: Experiment, source: WorkloadSource, task: Task) -> Path:
    """Run one task; a pure function of its arguments.

    The path is drawn from the replication's workload stream and rescaled in time to the task's load, so it
    differs between loads by its clock only.
    """
    rng = generator(experiment.seed, Stream.WORKLOAD, task.replication)
    fleet = experiment.fleet
    workload = source.draw(experiment.requests, rng).at_load(task.load, fleet)
    bounds = fluid.bounds(workload, fleet, experiment.slo)
    subject = fluid.subject(workload, fleet)
    best = {b.metric: best_bound(bounds, b.metric) for b in bounds}
    outcomes = {}
    for policy in task.policies:
        seed = seed_sequence(experiment.seed, Stream.POLICY, task.replication)
        run = simulate(workload, fleet, policy, seed, token_gaps=True)
        whole = measure(run, experiment.slo)
        clock_s = float(np.nanmax(run.completion_s, initial=run.arrival_s[-1]))
        gaps = {
            metric: _gap(bound, policy, whole[metric], subject, clock_s)
            for metric, bound in best.items()
            if bound is not None and bound.value > 0 and metric in whole and comparable(metric, whole)
        }
        skip = _skip(run, experiment.warm_up)
        shown = measure(run, experiment.slo, skip=skip) if skip else whole
        outcomes[policy.name] = Outcome(shown, gaps, stability(run, task.load))
    return Path(task.load, task.replication, bounds, outcomes)


def _skip(run: Run, rule: str) -> int:
    """Arrivals to leave out: up to the first request after the warm-up of those that were served."""
    served = np.flatnonzero(run.rejected == 0)
    skip = warm_up(run.latency_s[served], rule).skip if len(served) else 0
    return int(served[skip]) if skip else 0


def _gap(bound: Bound, policy: Policy, value: float, subject: str, clock_s: float) -> float:
    gap = bound.gap(value, metric=bound.metric, subject=subject)
    if bound.validity == "pathwise" and gap < -TOLERANCE - CLOCK * clock_s / bound.value:
        raise MismatchError(
            f"{policy.name} has {bound.metric} = {value} on {subject}, beyond the pathwise bound "
            f"{bound.name!r} = {bound.value}: the bound or the simulation is wrong, please report it"
        )
    return gap
