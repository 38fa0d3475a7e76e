"""A benchmark run beside the previous one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def to_rich(found: Mapping[str, Any], previous: Mapping[str, Any] | None) -> Table:
    """One line per number, with the previous number and the change in per cent."""
    grid = Table("engine, reference instance at load 0.9", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("now", "previous", "change"):
        grid.add_column(header, justify="right")
    for name, value in found.items():
        before = None if previous is None else previous.get(name)
        cells = [_text(value), "", ""]
        if isinstance(before, int | float):
            cells[1] = _text(before)
            cells[2] = f"{(value - before) / before:+.1%}" if before else ""
        grid.add_row(name, *cells)
    return grid


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
