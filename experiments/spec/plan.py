"""The tasks of a specification."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

from experiments.results.place import Place
from experiments.spec.choices import Axes, axes_of
from experiments.tasks import BoundTask, PathChoice, ServeTask
from orsched.errors import InputError

if TYPE_CHECKING:
    from experiments.spec.experiment_spec import ExperimentSpec


def tasks_of(spec: ExperimentSpec, replications: int) -> list[ServeTask | BoundTask]:
    """One task for each place of the table; see `ExperimentSpec.tasks`."""
    if replications < 1:
        raise InputError(f"replications = {replications}: must be a whole number >= 1")
    axes = axes_of(spec)
    found: list[ServeTask | BoundTask] = []
    for replication in range(replications):
        for seed in spec.seeds:
            found += _of_replication(spec, axes, seed, replication)
    return found


def _of_replication(spec: ExperimentSpec, axes: Axes, seed: int, replication: int) -> Iterator[ServeTask | BoundTask]:
    slo = None if spec.slo is None else spec.slo.slo()
    for (workload_label, workload), fleet, at in product(axes.workloads, axes.fleets, spec.points):
        requests = round(spec.requests * at) if spec.axis == "scale" else spec.requests
        path = PathChoice(workload, fleet.choice, spec.axis, at, spec.load, requests, seed, replication)
        objective = None if workload.tiers else slo
        place = Place("bound", workload_label, fleet.label, None, None, spec.axis, at, seed, replication, requests)
        if spec.bounds != "none":
            yield BoundTask(path, spec.bounds, objective, place)
        for named, predictor in product(axes.policies, spec.predictors):
            shown = None if predictor == "none" else predictor
            yield ServeTask(
                path,
                named.choice(predictor, fleet.router),
                objective,
                spec.warm_up,
                axes.token_gaps,
                place._replace(kind="serve", policy=named.label, predictor=shown),
            )
