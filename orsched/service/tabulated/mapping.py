"""Curves and grids as the nested lists of a hardware file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from orsched.errors import InputError, unknown_name
from orsched.service.tabulated.curve import Curve
from orsched.service.tabulated.grid import Grid


def require_keys(name: str, table: object, needed: Collection[str], optional: Collection[str] = ()) -> None:
    """Refuse a `table` that is no mapping, lacks a key or has one that nobody reads.

    Raises
    ------
    InputError
        Naming the key, after `name`.
    """
    if not isinstance(table, Mapping):
        raise InputError(f"{name} = {str(table)[:80]}: must be a table with {', '.join(needed)}")
    for key in table:
        if key not in (*needed, *optional):
            raise unknown_name(f"key of {name}", key, (*needed, *optional))
    for key in needed:
        if key not in table:
            raise InputError(f"{name}.{key} is missing")


def table_from_mapping(name: str, kind: type[Curve] | type[Grid], table: object) -> Curve | Grid:
    """Build a curve from ``at`` and ``values`` or a grid from ``axes`` and ``values``; InputError says where."""
    keys = [field.name for field in fields(kind) if field.init]
    require_keys(name, table, keys)
    try:
        return kind(*(table[key] for key in keys))  # type: ignore[index]
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def table_to_mapping(table: Curve | Grid) -> dict[str, Any]:
    """Return what `table_from_mapping` reads."""
    return {field.name: _lists(getattr(table, field.name)) for field in fields(table) if field.init}


def _lists(values: Any) -> Any:
    return [_lists(value) for value in values] if isinstance(values, tuple) else values
