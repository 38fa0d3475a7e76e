"""From findings to settings: one per workload and fleet, the predictors side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from experiments.report.quantiles import mean_quantiles
from experiments.report.setting import Setting
from orsched.gap_table import GapRow, GapTable
from orsched.policy import Information
from orsched.statistics.estimate import estimate

if TYPE_CHECKING:
    import pandas as pd

    from experiments.findings import Findings

Names = dict[tuple[str, str | None], str]


def settings_of(findings: Findings) -> list[Setting]:
    """Gather what the report shows, in the order of the experiment.

    Raises
    ------
    MismatchError
        When a policy did better than a pathwise bound allows.
    """
    groups: dict[tuple[str, str], list[GapTable]] = {}
    for (workload, fleet, _), table in findings.gap_tables().items():
        groups.setdefault((workload, fleet), []).append(table)
    quantiles, bounds = mean_quantiles(findings.plan, findings.rows()), findings.bounds()
    found = []
    for number, (place, tables) in enumerate(groups.items(), 1):
        table, names = joined(tables)
        found.append(
            Setting(
                name=f"setting-{number}",
                table=table,
                names=names,
                metrics=findings.spec.metrics,
                quantiles=_named(_of(quantiles, place), names),
                bounds=_pooled(_of(bounds, place)),
            )
        )
    return found


def joined(tables: Sequence[GapTable]) -> tuple[GapTable, Names]:
    """Put the tables of several predictors into one whose rows are named by policy and predictor.

    A policy that uses no output lengths is the same under every predictor and stays one row. Rows are ordered by
    column, then policy, then predictor.

    Returns
    -------
    table : GapTable
        All rows.
    names : dict
        The name of each policy with each predictor.
    """
    several = len(tables) > 1
    names = _series(tables) if several else {(row.policy, tables[0].predictor): row.policy for row in tables[0].rows}
    rows: list[GapRow] = []
    for table in tables:
        for row in table.rows:
            if table is tables[0] or not _is_alone(row):
                rows.append(replace(row, policy=names[row.policy, table.predictor]))
    policies = list(dict.fromkeys(policy for policy, _ in names))
    order = {name: policies.index(policy) for (policy, _), name in names.items()}
    places = list(dict.fromkeys(row.place for row in rows))
    rows.sort(key=lambda row: (places.index(row.place), order[row.policy]))
    notices = tuple(dict.fromkeys(notice for table in tables for notice in table.notices))
    return replace(
        tables[0], rows=tuple(rows), notices=notices, predictor=None if several else tables[0].predictor
    ), names


def _series(tables: Sequence[GapTable]) -> Names:
    """Name every policy with every predictor; no two the same, whatever the policies are called."""
    rows = [(row, table.predictor) for table in tables for row in table.rows]
    taken = {row.policy for row, _ in rows}
    names: Names = {}
    for row, predictor in rows:
        if (row.policy, predictor) in names:
            continue
        name = row.policy
        if not _is_alone(row):
            wanted = f"{name}, {predictor or 'as declared'}"
            name = next(
                one for one in (wanted, *(f"{wanted} ({n})" for n in range(2, len(rows) + 3))) if one not in taken
            )
            taken.add(name)
        names[row.policy, predictor] = name
    return names


def _is_alone(row: GapRow) -> bool:
    """Whether the policy uses no output lengths."""
    return row.information == Information.NONE.label


def _of(frame: pd.DataFrame, place: tuple[str, str]) -> pd.DataFrame:
    return frame[(frame["workload"] == place[0]) & (frame["fleet"] == place[1])]


def _named(quantiles: pd.DataFrame, names: Names) -> pd.DataFrame:
    keys = zip(quantiles["policy"], quantiles["predictor"], strict=True)
    series = [names.get((policy, predictor), policy) for policy, predictor in keys]
    return quantiles.assign(series=series).drop_duplicates(["series", "point", "time", "percentile"])


def _pooled(bounds: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    keys = ["point", "metric", "bound", "sense", "validity"]
    records: list[dict[str, Any]] = []
    for key, group in bounds.groupby(keys, sort=False):
        value = estimate(group["value"])
        records.append(
            dict(zip(keys, key, strict=True))
            | {"certified": bool(group["certified"].all()), "value": value.mean}
            | {"half_width": value.half_width, "paths": value.n}
        )
    columns = [*keys, "certified", "value", "half_width", "paths"]
    return pd.DataFrame(records, columns=columns).rename(columns={"bound": "name"})
