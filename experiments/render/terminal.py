"""A gap table in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, JustifyMethod
from rich.table import Table
from rich.text import Text

from orsched.gap_table import GAP_METRIC, HEADERS, GapTable

_TEXT_COLUMNS = {"policy", "information", "stable"}
_HIDDEN = "bound"


def to_rich(table: GapTable) -> Group:
    """Build a rich table with one section per load; below it the bounds, which all policies share, and the notes."""
    grid = Table(title=table.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    shown = [index for index, header in enumerate(HEADERS) if header != _HIDDEN]
    for header in (HEADERS[index] for index in shown):
        justify: JustifyMethod = "left" if header in _TEXT_COLUMNS else "right"
        grid.add_column(header.replace(" (", "\n("), justify=justify, overflow="fold")
    for load in table.loads:
        for row in table.rows:
            if row.load == load:
                cells = row.cells()
                style = "yellow" if row.stable is False else None
                grid.add_row(*(Text(cells[index]) for index in shown), style=style)
        grid.add_section()
    return Group(grid, *map(Text, _bounds(table)), *(Text(f"note: {note}") for note in table.notes))


def _bounds(table: GapTable) -> list[str]:
    """Say once per bound at which loads gaps are measured against it."""
    loads: dict[str, list[str]] = {}
    for row in table.rows:
        gap = row.gaps.get(GAP_METRIC)
        if gap is not None:
            of_bound = loads.setdefault(gap.label, [])
            if f"{row.load:g}" not in of_bound:
                of_bound.append(f"{row.load:g}")
    return [f"gap at load {', '.join(at)}: {GAP_METRIC} to {label}" for label, at in loads.items()]
