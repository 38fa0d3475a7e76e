"""A table of texts as LaTeX with booktabs."""

from __future__ import annotations

from experiments.fleet.tables import PlainTable
from experiments.render.latex import escaped as escaped


def to_booktabs(table: PlainTable) -> str:
    """A ``table`` environment, for the package booktabs."""
    numbers = len(table.headers) - table.labels
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(table.title)}. Mean $\pm$ half-width of the 95\% interval.}}",
        rf"\begin{{tabular}}{{{'l' * table.labels}{'r' * numbers}}}",
        r"\toprule",
        _line(table.headers),
        r"\midrule",
        *map(_line, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"
