"""A gap table, or any table, as LaTeX with booktabs."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.render.strong import Strong
from orsched.gap_table import GapTable

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        ">": r"$>$",
        "<": r"$<$",
        "≥": r"$\geq$",
        "≤": r"$\leq$",
        "|": r"$|$",
        **{character: "\\" + character for character in "&%$#_{}"},
    }
)


def to_latex(table: GapTable) -> str:
    """A ``table`` environment, for the package booktabs."""
    blocks = [[table.cells(row) for row in table.rows if row.place == place] for place in table.places]
    return booktabs(table.title, f"ll{'r' * (len(table.headers) - 4)}ll", table.headers, blocks, table.notes)


def booktabs(
    title: str,
    alignment: str,
    headers: Sequence[str],
    blocks: Sequence[Sequence[Sequence[str]]],
    notes: Sequence[str] = (),
    level: float = 0.95,
) -> str:
    """A ``table`` environment of plain texts, bold where `Strong`, for the package booktabs.

    Parameters
    ----------
    title : str
        Its caption, before the words that say what the numbers are.
    alignment : str
        A letter for each column.
    headers : sequence of str
        Of the columns.
    blocks : sequence of sequence of rows
        Each block of rows has a rule above it.
    notes : sequence of str
        Below the table.
    level : float
        Of the intervals.
    """
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(title)}. Mean $\pm$ half-width of the {100 * level:g}\% interval.}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        _line(headers),
    ]
    for rows in blocks:
        lines += [r"\midrule", *map(_line, rows)]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip {escaped(note)}" for note in notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _line(cells: Sequence[str]) -> str:
    """A row; a star or bracket at its start would be read as an argument of the row end before it."""
    line = " & ".join(map(_cell, cells)) + r" \\"
    return "{}" + line if line[0] in "*[" else line


def _cell(text: str) -> str:
    return rf"\textbf{{{escaped(text)}}}" if isinstance(text, Strong) else escaped(text)


def escaped(text: str) -> str:
    """The text on one line, with everything escaped that LaTeX would take for markup."""
    return " ".join(text.split()).translate(_ESCAPES)
