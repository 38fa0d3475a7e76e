"""Results as plain JSON documents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from orsched.gap_table import Gap, GapRow, GapTable
from orsched.statistics.estimate import Estimate


def estimate_document(value: Estimate) -> dict[str, Any]:
    """``mean, half_width, n``; the half-width of one observation is null."""
    return {"mean": value.mean, "half_width": value.half_width, "n": value.n}


def gap_document(gap: Gap) -> dict[str, Any]:
    """An estimate, and the bound it is measured against."""
    return {
        **estimate_document(gap.estimate),
        "bound": gap.bound,
        "bound_value": gap.bound_value.mean,
        "validity": gap.validity,
        "certified": gap.certified,
    }


def row_document(row: GapRow) -> dict[str, Any]:
    """One policy at one place of the axis (``at``)."""
    return {
        "policy": row.policy,
        "information": row.information,
        "at": row.place,
        "load": row.load,
        "stable": row.stable,
        "unstable_replications": row.unstable_replications,
        "stability": row.reason,
        "metrics": {name: estimate_document(value) for name, value in row.metrics.items()},
        "gaps": {name: gap_document(gap) for name, gap in row.gaps.items()},
        "settings": plain(row.settings),
    }


def table_document(table: GapTable) -> dict[str, Any]:
    """A gap table."""
    return {
        "workload": table.workload,
        "fleet": table.fleet,
        "requests": table.requests,
        "replications": table.replications,
        "seed": table.seed,
        "predictor": table.predictor,
        "axis": table.axis,
        "rows": [_row_of_table(table, row) for row in table.rows],
        "notices": list(table.notices),
    }


def _row_of_table(table: GapTable, row: GapRow) -> dict[str, Any]:
    """A row, and the requests of its paths where rows differ in them."""
    return row_document(row) | ({} if row.requests is None else {"requests": row.requests})


def plain(value: Any) -> Any:
    """Turn mappings, sequences and numpy numbers into what JSON knows; anything else, infinity too, into its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return str(value) if value in (math.inf, -math.inf) else value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)
