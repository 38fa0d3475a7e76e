"""A gap table in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, JustifyMethod
from rich.table import Table
from rich.text import Text

from orsched.gap_table import HEADERS, GapTable

_TEXT_COLUMNS = {"policy", "information", "bound", "stable"}


def to_rich(table: GapTable) -> Group:
    """A rich table with one section per load, and the notes below it."""
    grid = Table(title=table.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for header in HEADERS:
        justify: JustifyMethod = "left" if header in _TEXT_COLUMNS else "right"
        grid.add_column(header.replace(" (", "\n("), justify=justify, no_wrap=header == "policy")
    for load in table.loads:
        for row in table.rows:
            if row.load == load:
                grid.add_row(*map(Text, row.cells()), style="yellow" if row.stable is False else None)
        grid.add_section()
    return Group(grid, *(Text(f"note: {note}") for note in table.notes))
