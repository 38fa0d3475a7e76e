"""A gap table's rows arranged as a matrix, and its policies ranked column by column."""

from __future__ import annotations

from collections.abc import Sequence

from orsched.errors import InputError, unknown_name
from orsched.gap_matrix import NO_BOUND, NOT_MEASURED, NOT_RUN, Cell, Column, GapMatrix, Quantity, Standing
from orsched.gap_row import GapRow
from orsched.gap_table import GapTable
from orsched.gap_text import GAP_METRIC, UNSTABLE
from orsched.metrics import METRICS, Better
from orsched.statistics.ranking import Ranking, rank


def arrange(table: GapTable, metric: str = GAP_METRIC) -> GapMatrix:
    """Arrange the rows of a gap table by policy and load.

    A cell is the mean gap of `metric` to the best valid bound with its half-width; where no policy has such a gap at
    any load, it is the metric itself. Policies that kept up are ranked within each column by the values behind their
    cells, path by path; those without such values are left out, and named (`Column.left_out`).

    Parameters
    ----------
    table : GapTable
        Its rows need the values of each path (`Gap.values`, `GapRow.values`) for marks.
    metric : str
        Name as in `orsched.metrics`.

    Raises
    ------
    UnknownNameError
        When there is no such metric.
    InputError
        When none of the rows has it, or a policy has two rows in a column.
    """
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    if not any(metric in row.metrics for row in table.rows):
        raise InputError(f"metric {metric!r}: none of the policies has it here")
    quantity: Quantity = "gap" if any(metric in row.gaps for row in table.rows) else "value"
    places = tuple(dict.fromkeys(row.place for row in table.rows))
    found = {(row.policy, row.place): row for row in table.rows}
    if len(found) < len(table.rows):
        raise InputError("a matrix has one cell for a policy and a column, but the table has several rows for one")
    rankings = {at: _ranking([row for row in table.rows if row.place == at], metric, quantity) for at in places}
    return GapMatrix(
        title=table.title,
        metric=metric,
        quantity=quantity,
        axis=table.axis,
        columns=tuple(_column(at, table.rows, metric, quantity, rankings[at]) for at in places),
        policies=table.policies,
        information=tuple(_information(table.rows, policy) for policy in table.policies),
        cells=tuple(
            tuple(_cell(found.get((policy, at)), metric, quantity, rankings[at]) for at in places)
            for policy in table.policies
        ),
        notes=table.notes,
    )


def _information(rows: Sequence[GapRow], policy: str) -> str:
    return " / ".join(dict.fromkeys(row.information for row in rows if row.policy == policy))


def _ranking(rows: Sequence[GapRow], metric: str, quantity: Quantity) -> Ranking | str:
    """Rank those that kept up; or say why not."""
    better: Better | None = "lower" if quantity == "gap" else METRICS[metric].better
    if better is None:
        return "neither direction is better"
    shown = [row for row in rows if _is_shown(row, metric, quantity)]
    if not any(_values(row, metric, quantity) for row in shown):
        return "no policy that kept up has the values of each sample path"
    lacking = [row.policy for row in shown if not _values(row, metric, quantity)]
    shown = [row for row in shown if row.policy not in lacking]
    if lacking and len(shown) == 1:
        return f"{', '.join(lacking)}: without the values of each sample path"
    values = {row.policy: _values(row, metric, quantity) for row in shown}
    if len({len(path) for path in values.values()}) > 1:
        return "they have different numbers of sample paths"
    if quantity == "gap" and len({(row.gaps[metric].label, row.gaps[metric].bound_value.mean) for row in shown}) > 1:
        return "their gaps are to different bounds"
    ranking = rank(values, better)
    return ranking.undecided or ranking


def _is_shown(row: GapRow, metric: str, quantity: Quantity) -> bool:
    """Whether the policy kept up and its cell is a number."""
    return bool(row.stable) and metric in (row.gaps if quantity == "gap" else row.metrics)


def _values(row: GapRow, metric: str, quantity: Quantity) -> tuple[float, ...]:
    if quantity == "gap":
        return row.gaps[metric].values if metric in row.gaps else ()
    return row.values.get(metric, ())


def _column(at: float, rows: Sequence[GapRow], metric: str, quantity: Quantity, ranking: Ranking | str) -> Column:
    gaps = [row.gaps[metric] for row in rows if row.place == at and metric in row.gaps]
    bounds = tuple(dict.fromkeys(gap.label for gap in gaps))
    if isinstance(ranking, str):
        return Column(at, bounds, ranking)
    ranked = {entry.name for entry in ranking.order}
    shown = [row.policy for row in rows if row.place == at and _is_shown(row, metric, quantity)]
    return Column(at, bounds, "", tuple(policy for policy in shown if policy not in ranked))


def _cell(row: GapRow | None, metric: str, quantity: Quantity, ranking: Ranking | str) -> Cell:
    if row is None or row.stable is None:
        return Cell(None, NOT_RUN, "unranked")
    gap = row.gaps.get(metric)
    value = row.metrics.get(metric) if quantity == "value" else None if gap is None else gap.estimate
    if not row.stable:
        return Cell(value, UNSTABLE, "unranked", gap)
    if value is None:
        return Cell(None, NO_BOUND if metric in row.metrics else NOT_MEASURED, "unranked")
    return Cell(value, "", _standing(row.policy, ranking), gap)


def _standing(policy: str, ranking: Ranking | str) -> Standing:
    if isinstance(ranking, str):
        return "unranked"
    for ranked in ranking.order:
        if ranked.name == policy:
            return "best" if ranked.best else "not worse" if ranked.may_be_best else "worse"
    return "unranked"
