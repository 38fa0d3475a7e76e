"""A gap table, or any table, as GitHub Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from experiments.render.strong import Strong
from orsched.gap_table import GapTable


def to_markdown(table: GapTable) -> str:
    """A pipe table with its title above and its notes below."""
    lines = [f"**{escaped(table.title)}** (mean ± 95% half-width)", ""]
    lines.append(pipe_table(table.headers, map(table.cells, table.rows)))
    if table.notes:
        lines += ["", *(f"- {escaped(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def pipe_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A pipe table of plain texts, bold where `Strong`, without a line end after its last row."""
    lines = [_line(headers), "|" + "|".join(" --- " for _ in headers) + "|"]
    return "\n".join([*lines, *map(_line, rows)])


def escaped(text: str) -> str:
    """The text on one line, with everything escaped that Markdown would take for markup."""
    text = " ".join(text.split())
    for character in "\\`|*_[]<&~":
        text = text.replace(character, "\\" + character)
    return text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    return f"**{escaped(text)}**" if isinstance(text, Strong) else escaped(text)
