"""The tables of a fleet experiment as headers and cells, for every form they leave the program in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.fleet.fault_effects import fault_notices
from experiments.fleet.fault_report import described
from experiments.fleet.outcome import UNITS
from experiments.fleet.summary import Estimates, FleetRow, FleetSummary
from orsched.gap_table import percent
from orsched.statistics.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Column:
    """A metric as a column.

    Parameters
    ----------
    metric, header : str
        Its name and its header.
    factor : float
        From its own unit to that of the header.
    counts : bool
        Whether it counts what need not happen: it is left out where nothing of it did.
    """

    metric: str
    header: str
    factor: float = 1.0
    counts: bool = False


WHOLE = (
    Column("attainment", "within SLO (%)", 100.0),
    Column("goodput_per_s", "goodput (1/s)"),
    Column("sustained_per_s", "sustained (1/s)"),
    Column("ttft_p50_s", "TTFT p50 (s)"),
    Column("ttft_p99_s", "TTFT p99 (s)"),
    Column("tpot_p50_s", "TPOT p50 (ms)", 1e3),
    Column("tpot_p99_s", "TPOT p99 (ms)", 1e3),
    Column("server_hours", "server-hours"),
)
EVENTS = (
    Column("preemptions", "preemptions", counts=True),
    Column("migrations", "migrations", counts=True),
    Column("deaths", "instances died", counts=True),
    Column("failed_starts", "failed starts", counts=True),
    Column("restarts", "restarts", counts=True),
    Column("rejected", "rejected", counts=True),
    Column("good_per_server_hour", "good per server-hour"),
    Column("energy_per_good_j", "energy per good (J)"),
)
TIER = (*WHOLE[:2], *WHOLE[3:7], Column("rejected", "rejected", counts=True))


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A table of texts.

    Parameters
    ----------
    title : str
        In one line.
    headers : tuple of str
        Of the columns; the first `labels` of them hold words, the others numbers.
    rows : tuple of tuple of str
        Cells.
    labels : int
        Columns of words.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1


def tables(summary: FleetSummary) -> list[PlainTable]:
    """All tables that have something to say: the whole, what happened, the tiers, differences to the first policy."""
    rows = summary.rows
    names = [(row.contender.label, row.contender.policy.information.label) for row in rows]
    whole = _table(title(summary), ("policy", "information"), names, [row.metrics for row in rows], WHOLE)
    whole = _with_open_brackets(whole, rows)
    if summary.bound is not None:
        whole = _with_column(whole, "of bound (%)", [_percent(row.over_bound) for row in rows])
    found = [whole, _table("per run", ("policy", "information"), names, [row.metrics for row in rows], EVENTS)]
    tiers = [tier.name for tier in summary.experiment.tiers if any(tier.name in row.tiers for row in rows)]
    if len(tiers) > 1:
        pairs = [(tier, row) for tier in tiers for row in rows if tier in row.tiers]
        names = [(tier, row.contender.label) for tier, row in pairs]
        found.append(_table("by tier", ("tier", "policy"), names, [row.tiers[tier] for tier, row in pairs], TIER))
    if len(rows) > 1:
        less = f"difference to {rows[0].contender.label} on the same paths"
        others = [(row.contender.label,) for row in rows[1:]]
        found.append(_table(less, ("policy",), others, [row.differences for row in rows[1:]], (*WHOLE, *EVENTS)))
    return [table for table in found if len(table.headers) > table.labels]


def title(summary: FleetSummary) -> str:
    """What was run, in one line."""
    experiment = summary.experiment
    return (
        f"{experiment.name}: {experiment.paths.source.name} at {summary.rate_per_s.mean:.4g} requests/s on "
        f"{experiment.fleet.name}; {experiment.replications} paths of {experiment.paths.requests:,} requests, "
        f"seed {experiment.paths.seed}, {experiment.scoring} scoring, warm-up {experiment.warm_up}"
    )


def notes(summary: FleetSummary) -> list[str]:
    """What to know beside the tables, a line each."""
    experiment = summary.experiment
    found = []
    for tier in experiment.tiers:
        if tier.slo is not None:
            found.append(f"tier {tier.name}: TTFT {tier.slo.ttft_s:g} s, TPOT {1e3 * tier.slo.tpot_s:g} ms")
    if experiment.faults or experiment.schedule is not None:
        found.append(f"faults: {described(experiment.faults, experiment.schedule, experiment.fault_seed)}")
    if summary.bound is not None:
        certified = "certified" if summary.bound_certified else "not certified"
        found.append(
            f"bound: no policy has more than {summary.bound.mean:.4g}/s within SLO ({summary.bound_name}, {certified})"
        )
    if experiment.goodput is not None:
        found.append(f"sustained: largest rate with {100 * experiment.attainment:g}% within SLO")
        found += [
            f"note: {row.contender.label}: sustained {cut}/s: beyond the range of the search on some path"
            for row in summary.rows
            if (cut := cut_off(row))
        ]
    if summary.sustained_bound is not None:
        found.append(f"bound: in the long run no policy sustains more than {summary.sustained_bound.mean:.4g}/s")
        found += [
            f"{row.contender.label}: {percent(row.sustained_over_bound)}% of that"
            for row in summary.rows
            if row.sustained_over_bound is not None
        ]
        beyond = [
            row.contender.label
            for row in summary.rows
            if row.sustained_over_bound and row.sustained_over_bound.mean > 1
        ]
        if beyond:
            found.append(
                f"note: {', '.join(beyond)}: beyond what the long run allows; squeezed paths end before their backlog "
                "outgrows the deadlines, so give more requests"
            )
    if not experiment.judged:
        found.append("without a [[tier]] nothing is scored and there is no bound")
    return found + [f"note: {notice}" for notice in notices(summary)]


def notices(summary: FleetSummary) -> list[str]:
    """What was changed, assumed, or could not be said."""
    found = [*summary.experiment.notices, *filter(None, [summary.bound_notice])]
    return found + fault_notices(summary.effects, summary.experiment.schedule)


def tidy_frame(summary: FleetSummary) -> pd.DataFrame:
    """One line per policy, tier and metric: policy, tier, metric, unit, mean, half_width, n, versus.

    An empty tier is the whole fleet; where versus names a policy, the line is this policy less that one, path by path.
    The unit is that of mean and half_width (of the 95% interval; missing for one path), and n is the paths.
    """
    import pandas as pd

    lines: list[tuple[object, ...]] = []

    def add(label: str, tier: str, metrics: Mapping[str, Estimate], versus: str) -> None:
        for name, value in metrics.items():
            unit = UNITS.get(name, "1/s")
            lines.append((label, tier, name, unit, value.mean, value.half_width, value.n, versus))

    for row in summary.rows:
        add(row.contender.label, "", row.metrics, "")
        for tier, metrics in row.tiers.items():
            add(row.contender.label, tier, metrics, "")
        add(row.contender.label, "", row.differences, summary.rows[0].contender.label)
    return pd.DataFrame(lines, columns=["policy", "tier", "metric", "unit", "mean", "half_width", "n", "versus"])


def _table(
    name: str,
    labels: tuple[str, ...],
    names: Sequence[tuple[str, ...]],
    metrics: Sequence[Estimates],
    columns: Sequence[Column],
) -> PlainTable:
    """One row per entry of `names` and `metrics`; columns that say nothing are left out."""
    shown = [column for column in columns if any(_says_something(column, one) for one in metrics)]
    rows = tuple((*name, *(_cell(one, column) for column in shown)) for name, one in zip(names, metrics, strict=True))
    return PlainTable(name, (*labels, *(column.header for column in shown)), rows, len(labels))


def _says_something(column: Column, metrics: Estimates) -> bool:
    value = metrics.get(column.metric)
    return value is not None and not (column.counts and value.mean == 0 and not value.half_width)


def _cell(metrics: Estimates, column: Column) -> str:
    if (value := metrics.get(column.metric)) is None:
        return ""
    width = None if value.half_width is None else column.factor * value.half_width
    return str(Estimate(column.factor * value.mean, width, value.n, value.level))


def _percent(value: Estimate | None) -> str:
    return "" if value is None else str(percent(value))


def _with_column(table: PlainTable, header: str, cells: Sequence[str]) -> PlainTable:
    rows = tuple((*row, cell) for row, cell in zip(table.rows, cells, strict=True))
    return PlainTable(table.title, (*table.headers, header), rows, table.labels)


def _with_open_brackets(table: PlainTable, rows: Sequence[FleetRow]) -> PlainTable:
    """Say of the policies whose largest sustained rate is beyond the range of the search where it is."""
    cells = [cut_off(row) for row in rows]
    return _with_column(table, "sustained, search cut off (1/s)", cells) if any(cells) else table


def cut_off(row: FleetRow) -> str:
    """Where the largest sustained rate is, if the search was cut off on some path; otherwise nothing."""
    if row.sustained is None or "sustained_per_s" in row.metrics:
        return ""
    low, high = row.sustained.low, row.sustained.high
    if math.isinf(high):
        return f">= {low:.4g}"
    return f"< {high:.4g}" if low == 0 else f"{low:.4g} to {high:.4g}"
