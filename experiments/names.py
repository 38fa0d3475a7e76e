"""The names a user can give, with one line about each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text


def _policies() -> list[dict[str, Any]]:
    import policies

    recipes = (policies.get_recipe(name) for name in policies.policy_names())
    return [{"name": r.name, "information": r.information.label, "description": r.description} for r in recipes]


def _workloads() -> list[dict[str, Any]]:
    from orsched.workloads.catalogue import workload_names, workload_source

    sources = (workload_source(name) for name in workload_names())
    return [{"name": source.name, "description": source.description} for source in sources]


def _hardware() -> list[dict[str, Any]]:
    from orsched.catalogue import hardware, hardware_names

    entries = (hardware(name) for name in hardware_names())
    return [
        {
            "name": hw.name,
            "kv_capacity_tokens": hw.kv_capacity_tokens,
            "max_num_seqs": hw.max_num_seqs,
            "kind": hw.kind,
            "fit_error": {e.group: e.mape for e in hw.fit_error},
            "source": hw.source,
            "notes": hw.notes,
        }
        for hw in entries
    ]


def _routers() -> list[dict[str, Any]]:
    import policies

    return [
        {"name": name, "description": (policies.get_router(name).__doc__ or "").split("\n")[0]}
        for name in policies.router_names()
    ]


def _predictors() -> list[dict[str, Any]]:
    import policies

    kinds = (policies.PREDICTORS[name] for name in policies.predictor_names())
    return [{"name": kind.usage, "description": kind.description} for kind in kinds]


LISTS: Mapping[str, Callable[[], list[dict[str, Any]]]] = {
    "policies": _policies,
    "workloads": _workloads,
    "hardware": _hardware,
    "routers": _routers,
    "predictors": _predictors,
}
"""What can be listed."""


JSON_ONLY = {"source", "notes"}
"""Columns too long for a terminal."""


def grid_of(rows: list[dict[str, Any]]) -> Table:
    """Show the rows of a list in the terminal."""
    columns = [column for column in rows[0] if column not in JSON_ONLY]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(column.replace("_", " "), no_wrap=column == "name")
    for row in rows:
        grid.add_row(*(Text(_text(row[column])) for column in columns))
    return grid


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {error:.1%}" for key, error in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
