"""A gap table as a data frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orsched.gap_row import GapRow

if TYPE_CHECKING:
    import pandas as pd

    from orsched.gap_table import GapTable


def to_frame(table: GapTable) -> pd.DataFrame:
    """One row per row of `table`; the columns are those of `GapTable.to_frame`."""
    import pandas as pd

    records = [_record(table, row) for row in table.rows]
    frame = pd.DataFrame(records, columns=None if records else _head(table))
    measured = {name for row in table.rows for name in row.metrics}
    bounded = {name for row in table.rows for name in row.gaps}
    flags = ["stable", *(f"{name}_bound_certified" for name in bounded)]
    counts = ["unstable_replications", "replications", "requests", "seed"]
    numbers = [
        *("load", table.axis),
        *(f"{name}{part}" for name in measured for part in ("", "_half_width")),
        *(f"{name}_{part}" for name in bounded for part in ("gap", "gap_half_width", "bound_value")),
    ]
    kinds = dict.fromkeys(flags, "boolean") | dict.fromkeys(numbers, "float64")
    return frame.astype(kinds if records else kinds | dict.fromkeys(counts, "int64")).copy()  # in one piece


def _head(table: GapTable) -> list[str]:
    """The columns of a table without rows."""
    return list(_facts(table, GapRow.not_run("", "", 0.0, "")))


def _facts(table: GapTable, row: GapRow) -> dict[str, object]:
    return {
        "workload": table.workload,
        "fleet": table.fleet,
        "policy": row.policy,
        "information": row.information,
        "predictor": row.settings.get("predictor"),
        **({} if table.axis == "load" else {table.axis: row.place}),
        "load": row.load,
        "stable": row.stable,
        "unstable_replications": row.unstable_replications,
        "replications": row.replications,
        "requests": table.requests if row.requests is None else row.requests,
        "seed": table.seed,
    }


def _record(table: GapTable, row: GapRow) -> dict[str, object]:
    record = _facts(table, row)
    for name, value in row.metrics.items():
        record |= {name: value.mean, f"{name}_half_width": value.half_width}
    for name, gap in row.gaps.items():
        record |= {
            f"{name}_gap": gap.estimate.mean,
            f"{name}_gap_half_width": gap.estimate.half_width,
            f"{name}_bound": gap.bound,
            f"{name}_bound_value": gap.bound_value.mean,
            f"{name}_bound_validity": gap.validity,
            f"{name}_bound_certified": gap.certified,
        }
    return record
