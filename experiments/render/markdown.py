"""A gap table as GitHub Markdown."""

from __future__ import annotations

from orsched.gap_table import HEADERS, GapTable


def to_markdown(table: GapTable) -> str:
    """A pipe table with its title above and its notes below."""
    lines = [f"**{_escaped(table.title)}** (mean ± 95% half-width)", "", _line(HEADERS)]
    lines.append("|" + "|".join(" --- " for _ in HEADERS) + "|")
    lines += [_line(row.cells()) for row in table.rows]
    if table.notes:
        lines += ["", *(f"- {_escaped(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(_escaped, cells)) + " |"


def _escaped(text: str) -> str:
    for character in "\\|*_<":
        text = text.replace(character, "\\" + character)
    return text
