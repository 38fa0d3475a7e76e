"""The tables of a fleet experiment as headers and cells, for every form they leave the program in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.fleet.outcome import UNITS
from experiments.fleet.summary import Estimates, FleetRow, FleetSummary
from orsched.estimate import Estimate
from orsched.gap_table import percent

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Column:
    """A metric as a column: its name, its header, and the factor from its own unit to that of the header."""

    metric: str
    header: str
    factor: float = 1.0


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
    Column("preemptions", "preemptions"),
    Column("migrations", "migrations"),
    Column("restarts", "restarts"),
    Column("rejected", "rejected"),
    Column("good_per_server_hour", "good per server-hour"),
    Column("energy_per_good_j", "energy per good (J)"),
)
NOTHING = ("", "0 ± 0", "0 (n=1)")
"""Cells that say nothing."""

TIER = (*WHOLE[:2], *WHOLE[3:7], Column("rejected", "rejected"))


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
    found = [_of_rows(title(summary), WHOLE, rows, {"of bound (%)": _over_bound(rows)} if summary.bound else {})]
    found.append(_of_rows("per run", EVENTS, rows, {}))
    tiers = [tier for tier in summary.experiment.tiers if any(tier.name in row.tiers for row in rows)]
    if len(tiers) > 1:
        cells = [
            (tier.name, row.contender.label, *_cells(row.tiers[tier.name], TIER))
            for tier in tiers
            for row in rows
            if tier.name in row.tiers
        ]
        headers = ("tier", "policy", *(column.header for column in TIER))
        found.append(_without_empty(PlainTable("by tier", headers, tuple(cells), labels=2)))
    if len(rows) > 1:
        cells = [(row.contender.label, *_cells(row.differences, (*WHOLE, *EVENTS))) for row in rows[1:]]
        headers = ("policy", *(column.header for column in (*WHOLE, *EVENTS)))
        less = f"difference to {rows[0].contender.label} on the same paths"
        found.append(_without_empty(PlainTable(less, headers, tuple(cells))))
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
    if summary.bound is not None:
        certified = "certified" if summary.bound_certified else "not certified"
        found.append(
            f"bound: no policy has more than {summary.bound.mean:.4g}/s within SLO ({summary.bound_name}, {certified})"
        )
    if summary.sustained_bound is not None:
        found.append(
            f"sustained: largest rate with {100 * experiment.attainment:g}% within SLO; in the long run no policy "
            f"sustains more than {summary.sustained_bound.mean:.4g}/s"
        )
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
    return found + [f"note: {notice}" for notice in experiment.notices]


def tidy_frame(summary: FleetSummary) -> pd.DataFrame:
    """One line per policy, tier and metric: policy, tier, metric, unit, mean, half_width, n, versus."""
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


def _of_rows(
    name: str, columns: Sequence[Column], rows: Sequence[FleetRow], more: Mapping[str, list[str]]
) -> PlainTable:
    headers = ("policy", "information", *(column.header for column in columns), *more)
    cells = [
        (
            row.contender.label,
            row.contender.policy.information.label,
            *_cells(row.metrics, columns),
            *(texts[k] for texts in more.values()),
        )
        for k, row in enumerate(rows)
    ]
    return _without_empty(PlainTable(name, headers, tuple(cells), labels=2))


def _cells(metrics: Estimates, columns: Sequence[Column]) -> list[str]:
    return [_text(metrics[c.metric], c.factor) if c.metric in metrics else "" for c in columns]


def _text(value: Estimate, factor: float) -> str:
    width = None if value.half_width is None else factor * value.half_width
    return str(Estimate(factor * value.mean, width, value.n, value.level))


def _over_bound(rows: Sequence[FleetRow]) -> list[str]:
    return ["" if row.over_bound is None else str(percent(row.over_bound)) for row in rows]


def _without_empty(table: PlainTable) -> PlainTable:
    """Leave out columns of numbers that no row has, or that are 0 in all rows."""
    kept = [
        k for k in range(len(table.headers)) if k < table.labels or any(row[k] not in NOTHING for row in table.rows)
    ]
    rows = tuple(tuple(row[k] for k in kept) for row in table.rows)
    return PlainTable(table.title, tuple(table.headers[k] for k in kept), rows, table.labels)
