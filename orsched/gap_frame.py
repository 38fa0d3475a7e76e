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

    frame = pd.DataFrame([_record(table, row) for row in table.rows])
    flags = [name for name in frame.columns if name == "stable" or name.endswith("_certified")]
    loads = {name: "float64" for name in frame.columns if name == "load"}
    return frame.astype({**dict.fromkeys(flags, "boolean"), **loads})


def _record(table: GapTable, row: GapRow) -> dict[str, object]:
    record: dict[str, object] = {
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
