"""A gap matrix in the terminal, as Markdown, as LaTeX and as a document."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from experiments.render import latex, markdown
from experiments.render.plain import estimate_document
from experiments.render.strong import Strong
from orsched.gap_matrix import Cell, GapMatrix
from orsched.gap_table import UNSTABLE


def to_rich(matrix: GapMatrix) -> Group:
    """Build a rich table: bold for those that may be best, yellow for the unstable; bounds and notes below."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, header in enumerate(matrix.headers):
        grid.add_column(header, justify="left" if index < 2 else "right", overflow="fold")
    for texts, cells in zip(matrix.rows(), matrix.cells, strict=True):
        shown = [Text(_aligned(text, cell), _style(cell)) for text, cell in zip(texts[2:], cells, strict=True)]
        grid.add_row(*map(Text, texts[:2]), *shown)
    return Group(Text(f"{matrix.title}\n{matrix.caption}"), grid, *map(Text, matrix.footers()))


def to_markdown(matrix: GapMatrix) -> str:
    """A pipe table with what it shows above, and bounds and notes below."""
    shown = f"{100 * matrix.level:g}%"
    lines = [f"**{markdown.escaped(matrix.title)}**: {markdown.escaped(matrix.caption)}, mean ± {shown} half-width", ""]
    lines += [markdown.pipe_table(matrix.headers, _emphasised(matrix)), ""]
    return "\n".join([*lines, *(f"- {markdown.escaped(line)}" for line in matrix.footers())]) + "\n"


def to_latex(matrix: GapMatrix) -> str:
    """A ``table`` environment, for the package booktabs."""
    title, alignment = f"{matrix.title}: {matrix.caption}", "ll" + "r" * len(matrix.columns)
    return latex.booktabs(title, alignment, matrix.headers, [_emphasised(matrix)], matrix.footers(), matrix.level)


def matrix_document(matrix: GapMatrix) -> dict[str, Any]:
    """A gap matrix as a plain JSON document."""
    lines = zip(matrix.policies, matrix.information, matrix.cells, strict=True)
    return {
        "title": matrix.title,
        "metric": matrix.metric,
        "quantity": matrix.quantity,
        "axis": matrix.axis,
        "level": matrix.level,
        "columns": [
            {"at": column.at, "bounds": list(column.bounds), "undecided": column.undecided} for column in matrix.columns
        ],
        "rows": [
            {"policy": policy, "information": information, "cells": list(map(_cell_document, cells))}
            for policy, information, cells in lines
        ],
        "notes": list(matrix.notes),
    }


def _cell_document(cell: Cell) -> dict[str, Any]:
    found = None if cell.estimate is None else estimate_document(cell.estimate)
    return {"estimate": found, "word": cell.word, "standing": cell.standing}


def _emphasised(matrix: GapMatrix) -> list[list[str]]:
    pairs = zip(matrix.rows(), matrix.cells, strict=True)
    return [
        [*texts[:2], *(Strong(text) if cell.strong else text for text, cell in zip(texts[2:], cells, strict=True))]
        for texts, cells in pairs
    ]


def _aligned(text: str, cell: Cell) -> str:
    """Leave as much room behind a number without a mark as a mark takes."""
    return text if cell.strong else f"{text}  "


def _style(cell: Cell) -> str:
    return "bold" if cell.strong else "yellow" if cell.word == UNSTABLE else ""
