"""Every metric of every policy at every load, in tables narrow enough to print."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.setting import Setting
from experiments.report.tables.table import Cell, Column, Table, words
from orsched.metrics import METRICS
from orsched.statistics.estimate import Estimate

GROUPS = (
    ("Latency and time to first token", ("latency_", "ttft_")),
    ("Time per output token, gaps between tokens, queueing", ("tpot_", "itl_", "queueing_")),
    ("Throughput and goodput", ("throughput_", "output_", "effective_", "goodput_", "slo_", "deadline_")),
    ("Use of the device, energy, rejections", ("",)),
)
"""Titles, and how the names of their metrics begin; a metric is in the first that fits."""


def metrics_tables(setting: Setting) -> list[Table]:
    """A table per group, one row per series and column, one column per metric that anybody has."""
    left = [name for name in METRICS if any(name in row.metrics for row in setting.rows.values())]
    tables = []
    for title, starts in GROUPS:
        names = [name for name in left if name.startswith(starts)]
        left = [name for name in left if name not in names]
        if names:
            tables.append(_table(setting, title, names))
    return tables


def _table(setting: Setting, title: str, names: Sequence[str]) -> Table:
    columns = [Column("policy"), Column(setting.axis_name, numeric=True), Column("stable")]
    columns += [
        Column(name, numeric=True, unit=METRICS[name].unit.replace("1", "", 1), hint=METRICS[name].description)
        for name in names
    ]
    rows = [
        [words(series), Cell(f"{at:g}", at), Cell(row.stability, row.stability, "" if row.stable else "bad")]
        + [_cell(row.metrics.get(name)) for name in names]
        for (series, at), row in setting.rows.items()
    ]
    return Table(f"{title}: mean ± half the 95% interval, after the warm-up if there is one", columns, rows)


def _cell(value: Estimate | None) -> Cell:
    return Cell("") if value is None else Cell(str(value), value.mean)
