"""One policy at one load, with everything that was measured and bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.comparison.build import effective_router
from experiments.comparison.experiment import Experiment
from experiments.comparison.fleet_facts import fleet_facts
from experiments.comparison.gaps import gap_row
from experiments.comparison.runner import run_experiment
from experiments.notebook import frames_html
from experiments.render.plain import estimate_document, row_document
from orsched.bound import Bound
from orsched.errors import InputError
from orsched.gap_table import GapRow
from orsched.metrics import METRICS
from orsched.statistics.estimate import Estimate, estimate

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("metric", "unit", "mean", "half_width", "n"),
    *("gap", "gap_half_width", "bound", "bound_value", "bound_validity", "bound_certified"),
)
"""Columns of `Evaluation.frame`."""


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
            **fleet_facts(experiment.fleet),
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

    def frame(self) -> pd.DataFrame:
        """One row per metric, in the order of `orsched.metrics`; whatever else `to_json` has is in ``attrs``.

        Columns: metric; unit, that of mean, half_width (of the 95% interval; missing for one replication) and
        bound_value; n, the replications; gap (a fraction, 0 is optimal) and gap_half_width; bound, bound_value,
        bound_validity and bound_certified of the best valid bound. What a metric does not have is missing; a policy
        that cannot run has no rows, and ``attrs["stability"]`` says why.
        """
        import pandas as pd

        frame = pd.DataFrame([self._record(name) for name in self.row.metrics], columns=list(COLUMNS))
        numbers = ("mean", "half_width", "gap", "gap_half_width", "bound_value")
        frame = frame.astype({**dict.fromkeys(numbers, "float64"), "bound_certified": "boolean"})
        frame.attrs.update((key, value) for key, value in self.to_json().items() if key not in ("metrics", "gaps"))
        return frame

    def _record(self, name: str) -> dict[str, object]:
        value, gap = self.row.metrics[name], self.row.gaps.get(name)
        record: dict[str, object] = {"metric": name, "unit": METRICS[name].unit, **estimate_document(value)}
        if gap is not None:
            record |= {
                "gap": gap.estimate.mean,
                "gap_half_width": gap.estimate.half_width,
                "bound": gap.bound,
                "bound_value": gap.bound_value.mean,
                "bound_validity": gap.validity,
                "bound_certified": gap.certified,
            }
        return record

    def _repr_html_(self) -> str:
        experiment = self.experiment
        title = f"{self.row.policy} on {self.workload}, {experiment.fleet.name}, load {experiment.loads[0]:g}"
        return frames_html({title: self.frame()})


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
