"""Relative errors of predicted times, by group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd


def group_errors(points: pd.DataFrame, by: Iterable[str], quantities: Sequence[str]) -> pd.DataFrame:
    """Summarise relative errors over all points, and over the points of each value of some columns.

    Parameters
    ----------
    points : DataFrame
        One row per point, with ``<quantity>_s`` and ``<quantity>_predicted_s``; a missing time is left out.
    by : iterable of str
        Columns to group by, one at a time.
    quantities : sequence of str
        Such as ``ttft``.

    Returns
    -------
    DataFrame
        Columns ``grouped_by``, ``group``, ``quantity``, ``points``, ``mape``, ``median_error`` (signed, predicted over
        measured minus one) and ``p95_ape``; fractions.
    """
    rows = []
    for column in ("all", *by):
        groups = [("all points", points)] if column == "all" else points.groupby(column, sort=True, observed=True)
        for name, part in groups:
            for quantity in quantities:
                known = part[part[f"{quantity}_s"].notna()]
                if known.empty:
                    continue
                error = known[f"{quantity}_predicted_s"] / known[f"{quantity}_s"] - 1
                absolute = error.abs()
                summary = (absolute.mean(), error.median(), absolute.quantile(0.95))
                rows.append((column, str(name), quantity, len(known), *map(float, summary)))
    columns = ["grouped_by", "group", "quantity", "points", "mape", "median_error", "p95_ape"]
    return pd.DataFrame(rows, columns=columns)
