"""Results in Python: run an experiment or open its folder, and get tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.results.folder import Reading, ResultsFolder
from orsched.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from experiments.execution.rounds import Precise
    from experiments.execution.watcher import Watcher
    from experiments.results.failures import Failure
    from experiments.results.gap_tables import Key
    from experiments.results.pairing import Paired
    from experiments.results.plan import Plan
    from experiments.spec import ExperimentSpec
    from experiments.spec.settings import Precision
    from orsched.gap_table import GapTable


@dataclass(frozen=True, eq=False)
class Findings:
    """What an experiment found so far; read once, when first asked for.

    Parameters
    ----------
    folder : ResultsFolder
        Where it is.
    """

    folder: ResultsFolder

    @cached_property
    def spec(self) -> ExperimentSpec:
        """The specification.

        Raises
        ------
        InputError
            When it cannot be read.
        """
        from experiments.spec import recorded_spec

        return recorded_spec(self.folder.specification)

    @cached_property
    def plan(self) -> Plan:
        """All tasks with their labels; raises InputError when it is lost."""
        return self.folder.plan()

    @property
    def unfinished(self) -> int:
        """Tasks that failed or were not run yet."""
        return len(set(self.plan.tasks()).difference(self._summaries.table["task"].to_pylist()))

    @property
    def damaged(self) -> tuple[str, ...]:
        """Files whose tasks are left out because they are not as they were written; running again mends them."""
        return self._summaries.damaged

    @property
    def precise(self) -> Precise | None:
        """How near the intervals are to the precision that the specification asks for; None where it asks for none."""
        from experiments.execution.rounds import judge, observed

        rule = self.spec.precision
        if rule is None:
            return None
        places = self.plan.places()
        replications = 1 + max(place.replication for _, place in places)
        return judge(rule, replications, observed(self.folder, places, rule.metric))

    def rows(self) -> pa.Table:
        """Finished tasks of the experiment with the columns of docs/experiments.md, in the order of the plan."""
        return self._everything.table

    def frame(self) -> pd.DataFrame:
        """Return the tidy table: a row per finished policy on a sample path and metric.

        Raises
        ------
        MismatchError
            When a policy did better than a pathwise bound allows: the bound or the simulation is wrong.
        """
        from experiments.results.tidy import tidy_frame

        return tidy_frame(self._paired)

    def bounds(self) -> pd.DataFrame:
        """One row per bound of a sample path."""
        from experiments.results.tidy import bounds_frame

        return bounds_frame(self.plan, self._summaries.table)

    def tasks(self) -> pd.DataFrame:
        """One row per task, also of those that failed or are missing."""
        from experiments.results.tidy import tasks_frame

        return tasks_frame(self.plan, self._summaries.table, self.folder.failed.names())

    def gap_tables(self) -> dict[Key, GapTable]:
        """One gap table per (workload, fleet, predictor), seeds pooled; ``.matrix()`` of each has policies as rows.

        They show the metrics of the specification; the usual ones where it cannot be read.
        """
        from experiments.results.gap_tables import gap_tables

        try:
            spec = self.spec
        except InputError:
            return gap_tables(self._paired)
        return gap_tables(self._paired, spec.metrics, spec.bounds != "none")

    def failures(self) -> list[Failure]:
        """Tasks of the experiment that raised and are not finished, with their tracebacks."""
        ids = set(self.plan.tasks())
        return [failure for failure in self.folder.failures() if failure.task in ids]

    def query(self, sql: str) -> pd.DataFrame:
        """Answer one SQL ``SELECT`` over ``results`` (`frame`), ``tasks`` and ``bounds``.

        Raises
        ------
        InputError
            When it is not one ``SELECT`` that DuckDB can answer from these three.
        """
        from experiments.results.sql import query

        return query(sql, {"results": self.frame, "tasks": self.tasks, "bounds": self.bounds})

    def report(self, path: str | Path) -> None:
        """Write all of it as one HTML file that needs no network."""
        from experiments.report import write_report

        write_report(self, Path(path))

    def _repr_html_(self) -> str:
        counts = self.tasks()["status"].value_counts()
        said = ", ".join(f"{count} {status}" for status, count in counts.items())
        tables = "".join(table.to_html() for table in self.gap_tables().values())
        return f"<p>{escape(str(self.folder.path))}: {escape(said)}</p>{tables}"

    @cached_property
    def _everything(self) -> Reading:
        import pyarrow as pa
        import pyarrow.compute as pc

        reading = self.folder.rows()
        at = pc.index_in(pa.array(self.plan.tasks(), pa.string()), value_set=reading.table["task"].combine_chunks())
        return Reading(reading.table.take(at.drop_null()), reading.damaged)

    @cached_property
    def _summaries(self) -> Reading:
        """Finished tasks without their quantiles, which are most of them, in any order; also those of no plan."""
        from experiments.results.pairing import COLUMNS
        from experiments.results.tidy import OF_TASKS

        return self.folder.rows((*COLUMNS, *OF_TASKS))

    @cached_property
    def _paired(self) -> Paired:
        from experiments.results.pairing import paired

        return paired(self.plan, self._summaries.table)


def open_results(path: str | Path) -> Findings:
    """Open a results folder to read it.

    Raises
    ------
    InputError
        When it is none, or one of another format.
    """
    return Findings(ResultsFolder.open(path))


def run(
    spec: ExperimentSpec | str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    precision: float | Precision | None = None,
    retry_failed: bool = False,
    extend: bool = False,
    watcher: Watcher | None = None,
) -> Findings:
    """Run what is not finished of an experiment.

    Parameters
    ----------
    spec : ExperimentSpec, str or Path
        The experiment, the name of a ready one, or the path of its ``.toml`` file.
    out : str or Path
        Its results folder, made if missing.
    workers : int, optional
        Processes; None: as many cores as pay off. Nothing but time depends on it.
    cluster : str, optional
        Address of a Dask scheduler, ``tcp://host:port``, in place of this machine.
    precision : float or Precision, optional
        Replicate until every mean is known to this share of it, as 0.02, whatever the specification says; or as this
        value of `experiments.spec.Precision` says. `Findings.precise` tells whether it was reached.
    retry_failed : bool
        Try again what failed before.
    extend : bool
        Allow another experiment, or other code, than the folder's.
    watcher : Watcher, optional
        Is told how it goes.

    Returns
    -------
    Findings
        See `Findings.failures` for tasks that raised.

    Raises
    ------
    InputError
        When the experiment cannot be run, or not in that folder.
    OrschedError
        When work cannot go on; what was finished is kept.
    """
    from experiments.execution.begin import begin, resolved, with_precision

    where = str(spec) if isinstance(spec, str | Path) else ""
    experiment = resolved(spec)
    if precision is not None:
        experiment = with_precision(experiment, precision)
    begun = begin(experiment, Path(out), where=where, workers=workers, cluster=cluster, extend=extend)
    begun.run(retry_failed=retry_failed, watcher=watcher)
    return Findings(begun.folder)
