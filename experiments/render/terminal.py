"""A gap table in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, JustifyMethod
from rich.table import Table
from rich.text import Text

from orsched.gap_table import GAP_METRIC, GapTable

_TEXT_COLUMNS = {"policy", "information", "stable"}
_HIDDEN = "bound"


def to_rich(table: GapTable) -> Group:
    """Build a rich table with one section per place on its axis; below it the bounds, shared by all, and the notes."""
    grid = Table(title=table.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    shown = [index for index, header in enumerate(table.headers) if header != _HIDDEN]
    for header in (table.headers[index] for index in shown):
        justify: JustifyMethod = "left" if header in _TEXT_COLUMNS else "right"
        grid.add_column(header.replace(" (", "\n("), justify=justify, overflow="fold")
    for place in table.places:
        for row in table.rows:
            if row.place == place:
                cells = table.cells(row)
                style = "yellow" if row.stable is False else None
                grid.add_row(*(Text(cells[index]) for index in shown), style=style)
        grid.add_section()
    return Group(grid, *map(Text, _bounds(table)), *(Text(f"note: {note}") for note in table.notes))


def _bounds(table: GapTable) -> list[str]:
    """Say once per bound where gaps are measured against it."""
    places: dict[str, dict[float, None]] = {}
    for row in table.rows:
        gap = row.gaps.get(GAP_METRIC)
        if gap is not None:
            places.setdefault(gap.label, {})[row.place] = None
    return [f"gap at {table.at(*at)}: {GAP_METRIC} to {label}" for label, at in places.items()]
