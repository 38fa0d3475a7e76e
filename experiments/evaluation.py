"""One policy at one load, with everything that was measured and bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.build import effective_router
from experiments.experiment import Experiment
from experiments.gaps import gap_row
from experiments.render.plain import row_document
from experiments.runner import run_experiment
from orsched.bound import Bound
from orsched.errors import InputError
from orsched.gap_table import GapRow
from orsched.statistics.estimate import Estimate, estimate


@dataclass(frozen=True, slots=True)
class BoundSummary:
    """One bound over all replications; certified when it was in every one."""

    bound: Bound
    value: Estimate
    certified: bool

    def to_json(self) -> dict[str, Any]:
        """Name, value (mean over replications), metric, sense, validity, certified."""
        return {
            "name": self.bound.name,
            "value": self.value.mean,
            "half_width": self.value.half_width,
            "n": self.value.n,
            "metric": self.bound.metric,
            "sense": self.bound.sense,
            "validity": self.bound.validity,
            "certified": self.certified,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of ``orsched evaluate``."""

    experiment: Experiment
    workload: str
    row: GapRow
    bounds: tuple[BoundSummary, ...]
    notices: tuple[str, ...]
    wall_s: float

    def to_json(self) -> dict[str, Any]:
        """The document that ``--json`` prints."""
        experiment = self.experiment
        simulated = experiment.requests * experiment.replications
        row = row_document(self.row)
        return {
            **{key: row[key] for key in ("policy", "information")},
            "workload": self.workload,
            "hardware": experiment.fleet.hardware.name,
            "instances": experiment.fleet.size,
            "router": effective_router(experiment),
            "predictor": experiment.predictor,
            **{key: row[key] for key in ("load", "stable", "unstable_replications", "stability")},
            "requests": experiment.requests,
            "replications": experiment.replications,
            "seed": experiment.seed,
            "warm_up": experiment.warm_up,
            "metrics": row["metrics"],
            "bounds": [bound.to_json() for bound in self.bounds],
            "gaps": row["gaps"],
            "settings": row["settings"],
            "notices": list(self.notices),
            "wall_s": self.wall_s,
            "requests_per_wall_s": simulated / self.wall_s,
        }


def evaluation(
    experiment: Experiment,
    *,
    workers: int | None = None,
    on_task_done: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Run an experiment of one policy at one load.

    Raises
    ------
    InputError
        When it has several policies or loads.
    """
    if len(experiment.policies) != 1 or len(experiment.loads) != 1:
        raise InputError("an evaluation is of one policy at one load; use a gap table for more")
    start = time.perf_counter()
    results = run_experiment(experiment, workers=workers, on_task_done=on_task_done)
    wall_s = time.perf_counter() - start
    (load,) = experiment.loads
    row = gap_row(results, load, results.policies[load][0])
    return Evaluation(
        experiment, results.workload, row, summarise([path.bounds for path in results.paths]), results.notices, wall_s
    )


def summarise(paths: Sequence[Sequence[Bound]]) -> tuple[BoundSummary, ...]:
    """Mean and interval of each bound that every path has, in the order of the first path."""
    columns = [{(bound.name, bound.metric): bound for bound in bounds} for bounds in paths]
    found = []
    for key, bound in columns[0].items():
        if all(key in column for column in columns):
            same = [column[key] for column in columns]
            value = estimate([b.value for b in same])
            found.append(BoundSummary(bound, value, all(b.certified for b in same)))
    return tuple(found)
