"""Errors by group in the terminal, as JSON and as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from experiments.render.files import require_writable
from experiments.validation.shares import Shares
from orsched.atomic import write_text

if TYPE_CHECKING:
    from rich.table import Table

FILES = ("points.csv", "errors.csv")
"""What `write_errors` writes."""

SharesByGroup = Mapping[str, Mapping[str, Shares]]
"""By column and value left out, the shares fitted to the rest."""


def errors_table(errors: pd.DataFrame) -> Table:
    """Build a table of `group_errors` with a column ``predictor``: a line per predictor, its groups indented below.

    It fits into 80 columns.
    """
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    quantities = list(dict.fromkeys(errors["quantity"]))
    grid.add_column("predictor, group", no_wrap=True)
    for heading in ("points", *(f"{name}\n{what}" for name in quantities for what in ("MAPE", "median", "p95"))):
        grid.add_column(heading, justify="right", no_wrap=True)
    above = None
    for (predictor, by, group), rows in errors.groupby(["predictor", "grouped_by", "group"], sort=False):
        if predictor != above:
            grid.add_row(above := predictor)
        known = {row.quantity: row for row in rows.itertuples()}
        label = group if by == "all" else f"{by.replace('_', ' ')} {group}"
        cells = [f"  {label}", str(rows["points"].max())]
        for quantity in quantities:
            row = known.get(quantity)
            cells += (
                ["", "", ""] if row is None else [f"{row.mape:.1%}", f"{row.median_error:+.1%}", f"{row.p95_ape:.1%}"]
            )
        grid.add_row(*cells)
    return grid


def bound_lines(shares: SharesByGroup) -> tuple[str, ...]:
    """Say which fitted shares ended at the bounds of the fit, a line each."""
    return tuple(
        f"at a bound of the fit, no achieved share: {name} {found._asdict()[name]:.3g} without {column} {value}"
        for column, values in shares.items()
        for value, found in values.items()
        for name in found.at_bound
    )


def errors_json(errors: pd.DataFrame, shares: SharesByGroup) -> dict[str, Any]:
    """Return the errors, one object per group, predictor and quantity, and the fitted shares."""
    return {
        "errors": errors.to_dict("records"),
        "fitted_to_the_others": {
            column: {value: {**found._asdict(), "at_bound": list(found.at_bound)} for value, found in values.items()}
            for column, values in shares.items()
        },
    }


def shares_frame(shares: SharesByGroup) -> pd.DataFrame:
    """One row per group left out: left_out (the column), group (its value), and what the others fitted.

    That is compute and memory (shares of the peaks achieved), overhead_s (seconds an iteration) and at_bound, the names
    of those that ended at a bound of the fit and measure nothing.
    """
    rows = [
        {"left_out": column, "group": value, **found._asdict(), "at_bound": ", ".join(found.at_bound)}
        for column, values in shares.items()
        for value, found in values.items()
    ]
    return pd.DataFrame(rows)


def require_folder(folder: Path | None) -> None:
    """Refuse, before any work, a folder that `write_errors` could not write to; None is nowhere.

    Raises
    ------
    InputError
        Saying what is in the way.
    """
    if folder is not None:
        for name in FILES:
            require_writable(folder / name, (".csv",))


def write_errors(points: pd.DataFrame, errors: pd.DataFrame, folder: Path) -> tuple[Path, ...]:
    """Write ``points.csv`` and ``errors.csv`` into `folder`, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in zip(FILES, (points, errors), strict=True):
        write_text(folder / name, frame.to_csv(index=False, lineterminator="\n"))
    return tuple(folder / name for name in FILES)
