"""The columns of a finished task, and the check that a table from outside has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from orsched.errors import InputError

Row = Mapping[str, Any]
"""One finished task: a value per column of `SCHEMA`, as `pyarrow.Table.from_pylist` takes them."""

KINDS = ("serve", "bound")
STATUSES = ("done", "unavailable")

BOUND = pa.struct(
    [
        pa.field("name", pa.string()),
        pa.field("metric", pa.string()),
        pa.field("sense", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("validity", pa.string()),
        pa.field("certified", pa.bool_()),
    ]
)

_OPTIONAL = ("policy", "information", "predictor", "router", "load", "stable", "growth_per_s", "clock_s")
_TYPES = {
    "task": pa.string(),
    "kind": pa.string(),
    "code": pa.string(),
    "workload": pa.string(),
    "fleet": pa.string(),
    "policy": pa.string(),
    "information": pa.string(),
    "predictor": pa.string(),
    "router": pa.string(),
    "axis": pa.string(),
    "point": pa.float64(),
    "load": pa.float64(),
    "replication": pa.int64(),
    "seed": pa.int64(),
    "requests": pa.int64(),
    "status": pa.string(),
    "reason": pa.string(),
    "stable": pa.bool_(),
    "growth_per_s": pa.float64(),
    "settings": pa.string(),
    "metrics": pa.map_(pa.string(), pa.float64()),
    "shown": pa.map_(pa.string(), pa.float64()),
    "comparable": pa.list_(pa.string()),
    "clock_s": pa.float64(),
    "subject": pa.string(),
    "quantiles": pa.map_(pa.string(), pa.list_(pa.float64())),
    "bounds": pa.list_(BOUND),
    "notices": pa.list_(pa.string()),
    "wall_s": pa.float64(),
}

SCHEMA = pa.schema([pa.field(name, kind) for name, kind in _TYPES.items()])
"""Columns of a finished task; docs/experiments.md says what each holds."""


def row_table(row: Row) -> pa.Table:
    """One finished task as a table of one row.

    Raises
    ------
    InputError
        When a column is missing, unknown, of another type or empty where it must not be.
    """
    missing = [name for name in SCHEMA.names if name not in row and name not in _OPTIONAL]
    unknown = sorted(row.keys() - set(SCHEMA.names))
    if missing or unknown:
        raise InputError(f"a row without {missing or 'nothing'} and with unknown {unknown or 'nothing'}")
    try:
        return checked(pa.Table.from_pylist([row], schema=SCHEMA))
    except (pa.ArrowException, TypeError) as error:
        raise InputError(f"a row that does not follow the schema: {error}") from None


def checked(table: pa.Table) -> pa.Table:
    """`table`, if it has the columns of `SCHEMA`, nothing empty that must not be, known kinds and statuses.

    Raises
    ------
    InputError
        Naming the first column that is wrong.
    """
    if table.schema.names != SCHEMA.names:
        raise InputError("other columns than those of a finished task")
    for field in SCHEMA:
        if table.schema.field(field.name).type != field.type:
            raise InputError(f"column {field.name!r} is {table.schema.field(field.name).type}, must be {field.type}")
        if field.name not in _OPTIONAL and table[field.name].null_count:
            raise InputError(f"column {field.name!r} is empty in {table[field.name].null_count} rows")
    for name, known in (("kind", KINDS), ("status", STATUSES)):
        other = set(table[name].unique().to_pylist()) - set(known)
        if other:
            raise InputError(f"column {name!r}: {min(other)!r} is none of {', '.join(known)}")
    return table
