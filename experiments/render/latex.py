"""A gap table as LaTeX with booktabs."""

from __future__ import annotations

from orsched.gap_table import HEADERS, GapTable

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
    width = len(HEADERS)
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(table.title)}. Mean $\pm$ half-width of the 95\% interval.}}",
        rf"\begin{{tabular}}{{ll{'r' * (width - 4)}ll}}",
        r"\toprule",
        _line(HEADERS),
    ]
    for load in table.loads:
        lines.append(r"\midrule")
        lines += [_line(row.cells()) for row in table.rows if row.load == load]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip {escaped(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"


def escaped(text: str) -> str:
    """The text with everything escaped that LaTeX would take for markup."""
    return text.translate(_ESCAPES)
