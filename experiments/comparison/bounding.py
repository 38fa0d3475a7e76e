"""Every bound at one load, and how far policies are from the one on mean latency."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fluid
from experiments.comparison.evaluation import BoundSummary, summarise
from experiments.comparison.experiment import Experiment
from experiments.comparison.fleet_facts import fleet_facts
from experiments.comparison.gaps import tabulate
from experiments.comparison.runner import run_experiment
from experiments.notebook import frames_html
from experiments.paths.source import notices_of, source_for
from experiments.paths.streams import Stream, generator
from experiments.render.certificate import certificate_document
from experiments.render.plain import row_document
from orsched.bound import Bound, best_bound
from orsched.errors import InputError
from orsched.fitting import require_fit
from orsched.gap_table import GAP_METRIC, GapRow, GapTable
from orsched.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

BOUND_COLUMNS = ("name", "metric", "unit", "sense", "value", "half_width", "n", "validity", "certified", "tightest")
"""Columns of `Bounding.frame`."""

PathBounds = tuple[Bound, ...]
"""All bounds of one sample path."""


@dataclass(frozen=True, slots=True)
class Bounding:
    """The result of ``orsched bound``.

    Parameters
    ----------
    experiment : Experiment
        The sample paths and the load; its policies are those of `rows`, if there are rows.
    workload : str
        The workload's name.
    paths : tuple of tuple of Bound
        The bounds of each replication.
    rows : tuple of GapRow
        The policies that were simulated on the same paths.
    notices : tuple of str
        What was changed or assumed.
    wall_s : float
        Seconds for all of it.
    """

    experiment: Experiment
    workload: str
    paths: tuple[PathBounds, ...]
    rows: tuple[GapRow, ...]
    notices: tuple[str, ...]
    wall_s: float

    @property
    def load(self) -> float:
        """The one load."""
        return self.experiment.loads[0]

    @property
    def best_row(self) -> GapRow | None:
        """The policy with the smallest mean latency; None when none was simulated."""
        return min(self.ranked, key=_mean_latency_s, default=None)

    @property
    def ranked(self) -> tuple[GapRow, ...]:
        """The policies that could run, by mean latency."""
        return tuple(sorted((row for row in self.rows if row.metrics), key=_mean_latency_s))

    def summaries(self) -> tuple[BoundSummary, ...]:
        """Mean and interval of each bound that every path has, in the order of the first path."""
        return summarise(self.paths)

    def dual_certificate(self) -> dict[str, Any] | None:
        """What re-proves the tightest certified bound on mean latency of the first path; None without one."""
        best = best_bound((bound for bound in self.paths[0] if bound.certified), GAP_METRIC)
        return None if best is None else certificate_document(best)

    def to_json(self) -> dict[str, Any]:
        """The document that ``--json`` prints."""
        experiment, summaries = self.experiment, self.summaries()
        marked = tightest(summaries)
        best = self.best_row
        return {
            "workload": self.workload,
            **fleet_facts(experiment.fleet),
            "load": self.load,
            "requests": experiment.requests,
            "replications": experiment.replications,
            "seed": experiment.seed,
            "predictor": experiment.predictor,
            "bounds": [{**summary.to_json(), "tightest": summary in marked} for summary in summaries],
            "policies": [row_document(row) for row in self.rows],
            "best_policy": None if best is None else best.policy,
            "dual_certificate": self.dual_certificate(),
            "notices": list(self.notices),
            "wall_s": self.wall_s,
        }

    def frame(self) -> pd.DataFrame:
        """One row per bound and metric; the policies and the certificate are apart.

        Columns: name, metric, unit (of value and half_width), sense (``lower``: no policy has less), value (mean over
        the replications), half_width (of the 95% interval; missing for one replication), n (replications), validity,
        certified, tightest (the valid bound of its metric that says most). Whatever else `to_json` has is in ``attrs``.
        """
        import pandas as pd

        document = self.to_json()
        rows = [{**bound, "unit": METRICS[bound["metric"]].unit} for bound in document["bounds"]]
        frame = pd.DataFrame(rows, columns=list(BOUND_COLUMNS)).astype({"value": "float64", "half_width": "float64"})
        apart = ("bounds", "policies", "dual_certificate")
        frame.attrs.update((key, value) for key, value in document.items() if key not in apart)
        return frame

    def policies_frame(self) -> pd.DataFrame:
        """One row per policy that was simulated, with the columns of `GapTable.to_frame`; empty if none was."""
        return self.table().to_frame()

    def table(self) -> GapTable:
        """The policies that were simulated."""
        experiment = self.experiment
        return GapTable(
            workload=self.workload,
            fleet=experiment.fleet.name,
            requests=experiment.requests,
            replications=experiment.replications,
            seed=experiment.seed,
            rows=self.rows,
            notices=self.notices,
            predictor=experiment.predictor,
        )

    def _repr_html_(self) -> str:
        title = f"bounds for {self.workload} on {self.experiment.fleet.name}, load {self.load:g}"
        return frames_html({title: self.frame(), **({"policies": self.policies_frame()} if self.rows else {})})


def tightest(summaries: Sequence[BoundSummary]) -> tuple[BoundSummary, ...]:
    """The valid bound of each metric that says most on average; the first of equals."""
    best: dict[str, BoundSummary] = {}
    for summary in summaries:
        bound, metric = summary.bound, summary.bound.metric
        sign = 1.0 if bound.sense == "lower" else -1.0
        if bound.valid and (metric not in best or sign * (summary.value.mean - best[metric].value.mean) > 0):
            best[metric] = summary
    return tuple(best.values())


def bounding(
    experiment: Experiment, *, with_policies: bool, on_path_done: Callable[[], None] = lambda: None
) -> Bounding:
    """Bound the sample paths of an experiment at its one load, and let its policies serve them if asked to.

    Parameters
    ----------
    experiment : Experiment
        With one load.
    with_policies : bool
        Whether its policies are simulated too; the paths are the same either way.
    on_path_done : callable
        Called after each sample path, for progress.

    Raises
    ------
    InputError
        When there are several loads, or as for `experiments.comparison.runner.run_experiment`.
    """
    if len(experiment.loads) != 1:
        raise InputError("bounds are shown at one load; use a gap table for more")
    start = time.perf_counter()
    if with_policies:
        results = run_experiment(experiment, on_task_done=on_path_done)
        found = tuple(path.bounds for path in results.paths)
        rows = tuple(tabulate(results).rows)
        return Bounding(experiment, results.workload, found, rows, results.notices, time.perf_counter() - start)
    source = source_for(experiment.workload, experiment.fleet, experiment.drop_oversized)
    require_fit(source.whole(), experiment.fleet)
    paths = []
    for replication in range(experiment.replications):
        drawn = source.draw(experiment.requests, generator(experiment.seed, Stream.WORKLOAD, replication))
        workload = drawn.at_load(experiment.loads[0], experiment.fleet)
        paths.append(fluid.bounds(workload, experiment.fleet, experiment.slo))
        on_path_done()
    notices = notices_of(source, experiment.requests, experiment.fleet.hardware)
    return Bounding(experiment, source.name, tuple(paths), (), notices, time.perf_counter() - start)


def _mean_latency_s(row: GapRow) -> float:
    return row.metrics[GAP_METRIC].mean
