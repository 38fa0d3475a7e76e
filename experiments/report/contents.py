"""Everything the page shows, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.report.figure import Figure
from experiments.report.setting import Setting
from experiments.report.tables.hardware import HardwareCard
from experiments.report.tables.table import Table

HOW_TO_READ = (
    "Load 1 is the edge of what any policy sustains. Gaps are computed on each sample path against the best valid "
    "bound of that very path, and then averaged; ± is half a 95% confidence interval over replications. Policies that "
    "keep up are ranked by the values behind the cells, path by path: the best one is among those called best or not "
    "significantly worse with 95% confidence at each load (all pairs compared)."
)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What the page shows of one setting.

    Parameters
    ----------
    setting : Setting
        The setting.
    sentences : sequence of str
        Its summary.
    figures : sequence of Figure
        Its charts.
    gaps : sequence of Table
        Gap matrices, that of mean latency first.
    tables : sequence of Table
        All others.
    left_out : sequence of str
        Which charts are missing, and why.
    """

    setting: Setting
    sentences: Sequence[str]
    figures: Sequence[Figure]
    gaps: Sequence[Table]
    tables: Sequence[Table]
    left_out: Sequence[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What the page shows.

    Parameters
    ----------
    title : str
        Of the experiment.
    chips : sequence of str
        What it consisted of, in a few words each.
    parts : sequence of Part
        One per workload and fleet.
    overview : Table or None
        Who is best in each of them.
    trouble : Table or None
        What did not go as planned.
    validity : sequence of (str, str)
        Words about bounds, and what they mean.
    bound_use : Table or None
        Which bounds gaps were measured against.
    hardware : sequence of HardwareCard
        The entries used.
    specification : str
        As TOML.
    versions : sequence of (str, str)
        Name and version.
    unfinished : str
        What is still missing; empty when all is there.
    how_to_read : str
        What the numbers mean.
    """

    title: str
    chips: Sequence[str]
    parts: Sequence[Part]
    overview: Table | None
    trouble: Table | None
    validity: Sequence[tuple[str, str]]
    bound_use: Table | None
    hardware: Sequence[HardwareCard]
    specification: str
    versions: Sequence[tuple[str, str]]
    unfinished: str = ""
    how_to_read: str = HOW_TO_READ
