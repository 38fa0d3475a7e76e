"""What ``orsched results`` does to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.findings import Findings
    from experiments.results.folder import ResultsFolder
    from orsched.gap_table import GapTable


def known_metric(metric: str | None) -> None:
    """Refuse an unknown metric; None is none. Raises UnknownNameError."""
    from orsched.errors import unknown_name
    from orsched.metrics import METRICS

    if metric is not None and metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)


def compacted(dir: Path) -> tuple[ResultsFolder, tuple[str, ...]]:
    """Put loose parts together; the folder, and what was damaged and is set aside.

    Raises
    ------
    InputError
        When it is no results folder.
    """
    from experiments.results.compaction import compact, set_damaged_aside
    from experiments.results.folder import ResultsFolder

    ResultsFolder.open(dir)
    folder = ResultsFolder.create(dir)
    return folder, (*set_damaged_aside(folder), *compact(folder))


def finished_tables(findings: Findings) -> list[GapTable]:
    """The gap tables of a folder, at least one.

    Raises
    ------
    InputError
        When no policy is finished yet.
    """
    from orsched.errors import InputError

    tables = list(findings.gap_tables().values())
    if not tables:
        raise InputError(f"folder {findings.folder.path}: no policy is finished yet")
    return tables
