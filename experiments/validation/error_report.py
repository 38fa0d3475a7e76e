"""Errors by group in the terminal, as JSON and as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from experiments.validation.shares import Shares
from orsched.atomic import write_text

if TYPE_CHECKING:
    from rich.table import Table

SharesByGroup = Mapping[str, Mapping[str, Shares]]
"""By column and value left out, the shares fitted to the rest."""


def errors_table(errors: pd.DataFrame) -> Table:
    """Build a table of `group_errors` with a column ``predictor``, a line per group and predictor."""
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    quantities = list(dict.fromkeys(errors["quantity"]))
    for column in ("predictor", "group"):
        grid.add_column(column, no_wrap=True)
    for heading in ("points", *(f"{name} {what}" for name in quantities for what in ("MAPE", "median", "p95"))):
        grid.add_column(heading, justify="right", no_wrap=True)
    for (predictor, by, group), rows in errors.groupby(["predictor", "grouped_by", "group"], sort=False):
        known = {row.quantity: row for row in rows.itertuples()}
        cells = [predictor, group if by == "all" else f"{by.replace('_', ' ')} {group}", str(rows["points"].max())]
        for quantity in quantities:
            row = known.get(quantity)
            cells += (
                ["", "", ""] if row is None else [f"{row.mape:.1%}", f"{row.median_error:+.1%}", f"{row.p95_ape:.1%}"]
            )
        grid.add_row(*cells)
    return grid


def errors_json(errors: pd.DataFrame, shares: SharesByGroup) -> dict[str, Any]:
    """Return the errors, one object per group, predictor and quantity, and the fitted shares."""
    return {
        "errors": errors.to_dict("records"),
        "fitted_to_the_others": {
            column: {value: found._asdict() for value, found in values.items()} for column, values in shares.items()
        },
    }


def write_errors(points: pd.DataFrame, errors: pd.DataFrame, folder: Path) -> tuple[Path, ...]:
    """Write ``points.csv`` and ``errors.csv`` into `folder`, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = {"points.csv": points, "errors.csv": errors}
    for name, frame in frames.items():
        write_text(folder / name, frame.to_csv(index=False, lineterminator="\n"))
    return tuple(folder / name for name in frames)
