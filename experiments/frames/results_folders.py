"""``orsched results`` as calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.frames.tables import matrix_frame, table_frame
from experiments.orders.arguments import taken
from experiments.orders.results import compacted, finished_tables, known_metric

if TYPE_CHECKING:
    import pandas as pd

    from experiments.findings import Findings


@taken
def results_list(dir: str | Path) -> pd.DataFrame:
    """Count what is finished in a results folder.

    Parameters
    ----------
    dir : str or Path
        Results folder of `experiments.run`.

    Returns
    -------
    pandas.DataFrame
        One row per workload, fleet, policy and predictor (missing where none is used): tasks, finished, failed,
        missing.
    """
    from experiments.results.folder import ResultsFolder
    from experiments.results.listing import listing

    frame = listing(ResultsFolder.open(Path(dir)))
    frame["predictor"] = frame["predictor"].astype("object").where(frame["predictor"] != "", None)
    return frame


@taken
def results_export(dir: str | Path) -> pd.DataFrame:
    """Read the tidy table of a results folder.

    Parameters
    ----------
    dir : str or Path
        Results folder of `experiments.run`.

    Returns
    -------
    pandas.DataFrame
        One row per policy, sample path and metric, with the columns of `experiments.Findings.frame`; how many tasks are
        unfinished and failed, and damaged files, in ``attrs``.
    """
    return tidy(_opened(dir))


@taken
def results_query(dir: str | Path, sql: str) -> pd.DataFrame:
    """Answer one SQL SELECT over the views results (the tidy table), tasks and bounds.

    Parameters
    ----------
    dir : str or Path
        Results folder of `experiments.run`.
    sql : str
        One ``SELECT``; no file is in its reach.

    Returns
    -------
    pandas.DataFrame
        The answer; ``attrs`` as of `experiments.frames.results_export`.
    """
    findings = _opened(dir)
    return _with_facts(findings.query(sql), findings)


@taken
def results_failures(dir: str | Path) -> pd.DataFrame:
    """Read which tasks failed.

    Parameters
    ----------
    dir : str or Path
        Results folder of `experiments.run`.

    Returns
    -------
    pandas.DataFrame
        One row per failed task: task (its id), what, error, traceback, when (UTC), attempts.
    """
    import pandas as pd

    from experiments.results.failures import Failure

    rows = [failure.model_dump() for failure in _opened(dir).failures()]
    return pd.DataFrame(rows, columns=list(Failure.model_fields))


@taken
def results_compact(dir: str | Path) -> pd.DataFrame:
    """Put loose parts of a results folder together, and set damaged files aside.

    Parameters
    ----------
    dir : str or Path
        Results folder of `experiments.run`.

    Returns
    -------
    pandas.DataFrame
        One row: finished (tasks), segments (files); what was damaged in ``attrs["notices"]``.
    """
    import pandas as pd

    folder, messages = compacted(Path(dir))
    frame = pd.DataFrame({"finished": [len(folder.finished())], "segments": [len(folder.segments.paths())]})
    frame.attrs["notices"] = list(messages)
    return frame


@taken
def results_table(dir: str | Path, *, metric: str | None = None) -> pd.DataFrame:
    """Make the gap tables of a results folder, below each other.

    Parameters
    ----------
    dir : str or Path
        Results folder of `experiments.run`.
    metric : str, optional
        Matrices of this metric instead.

    Returns
    -------
    pandas.DataFrame
        Rows as of `experiments.frames.gap_table`, of all workloads, fleets and predictors; a matrix has their columns
        in front, and ``attrs["matrices"]`` says of each what `experiments.frames.gap_table` does.
        ``attrs["notices"]`` has the notices of all tables.

    Raises
    ------
    InputError
        For an unknown metric, or when no policy is finished yet.
    """
    import pandas as pd

    known_metric(metric)
    findings = _opened(dir)
    tables = finished_tables(findings)
    frames = []
    for table in tables:
        frame = table_frame(table) if metric is None else matrix_frame(table, metric)
        if metric is not None:
            for place, name in enumerate(("workload", "fleet", "predictor")):
                frame.insert(place, name, getattr(table, name))
        frames.append(frame)
    found = pd.concat(frames, ignore_index=True)
    found.attrs = {} if metric is None else {"matrices": [frame.attrs for frame in frames]}
    found = _with_facts(found, findings)
    found.attrs["notices"] = [notice for table in tables for notice in table.notices]
    return found


def tidy(findings: Findings) -> pd.DataFrame:
    """The tidy table of `findings`, with what is missing in ``attrs``."""
    return _with_facts(findings.frame(), findings)


def _with_facts(frame: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    frame.attrs["folder"] = str(findings.folder.path)
    frame.attrs["unfinished"] = findings.unfinished
    frame.attrs["failed"] = len(findings.failures())
    frame.attrs["damaged"] = list(findings.damaged)
    return frame


def _opened(dir: str | Path) -> Findings:
    from experiments.findings import open_results

    return open_results(dir)
