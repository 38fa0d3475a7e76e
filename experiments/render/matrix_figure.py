"""A gap matrix as a figure: a field of colours with the numbers in it."""

from __future__ import annotations

import math
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.render.drawing import PLAIN, drawing
from orsched.errors import InputError
from orsched.gap_matrix import Cell, GapMatrix
from orsched.metrics import METRICS
from orsched.work import Floats

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, Normalize

COLOURS = "cividis"
"""The same to people with and without a colour-vision deficiency (Nunez, Anderton and Renslow, 2018)."""

WIDE = 20
"""Ratio of the largest to the smallest value from which colours are logarithmic."""

NOTHING, INK = "#E4E4E4", "#1b1b1b"
"""Of a cell without a number, and of its word."""

MOST_LETTERS = 28
"""Letters of a policy's name in a line."""

CELL_IN = (1.25, 0.42)
"""Width and height of a cell, inches."""


def write_matrix_figure(matrix: GapMatrix, path: Path) -> None:
    """Draw a matrix as PNG, SVG or PDF: a row per policy, a column per place, the mean, its half-width, its mark.

    The lighter a cell, the better; a cell without a number is grey and says why, and so is an unstable one, whose
    number depends on how long it was watched. What the marks mean is below, and so are the bounds.

    Raises
    ------
    InputError
        When no cell has a number.
    """
    values = np.array([[_value(matrix, cell) for cell in cells] for cells in matrix.cells], dtype=float)
    if not np.isfinite(values).any():
        raise InputError(f"no policy has a stable value of {matrix.metric}: there is nothing to draw")
    names = [_name(*line) for line in zip(matrix.policies, matrix.information, strict=True)]
    below = [fill(line, 110) for line in matrix.footers()]
    width = max(7.5, 2.6 + CELL_IN[0] * len(matrix.columns))
    lines = sum(text.count("\n") + 1 for text in below)
    tall = sum(max(CELL_IN[1], 0.2 * (name.count("\n") + 1)) for name in names)
    with drawing(path, width, 1.5 + tall + 0.15 * lines) as figure:
        axes = figure.add_subplot()
        colours, norm = _colours(matrix, values)
        image = axes.imshow(np.ma.masked_invalid(values), cmap=colours, norm=norm, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            cell = matrix.cells[row][column]
            ink = ink_on(colours(norm(value))) if math.isfinite(value) else INK
            weight = "bold" if cell.strong else "normal"
            text = matrix.text(cell)
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8, fontweight=weight, **PLAIN)
        axes.set_xticks(range(len(matrix.columns)), matrix.headers[2:], **PLAIN)
        axes.set_yticks(range(len(names)), names, **PLAIN)
        axes.set_xticks(np.arange(len(matrix.columns) - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(len(names) - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="both", length=0, labelsize=8)
        axes.spines[:].set_visible(False)
        axes.set_title(fill(matrix.title, 90), fontsize="medium", **PLAIN)
        axes.set_xlabel("\n".join(below), fontsize=7, loc="left", labelpad=8, **PLAIN)
        bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.04, format="{x:g}")
        bar.set_label(fill(matrix.caption, 40), fontsize=8)
        bar.ax.tick_params(labelsize=7)


def _value(matrix: GapMatrix, cell: Cell) -> float:
    """The number that colours a cell; NaN for none."""
    if cell.word or cell.estimate is None:
        return math.nan
    return 100 * cell.estimate.mean if matrix.quantity == "gap" else cell.estimate.mean


def _name(policy: str, information: str) -> str:
    return fill(f"{policy} ({information})", MOST_LETTERS)


def _colours(matrix: GapMatrix, values: Floats) -> tuple[Colormap, Normalize]:
    """Light for good; values that differ much by their logarithms."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize

    more_is_better = matrix.quantity == "value" and METRICS[matrix.metric].better == "higher"
    colours = colormaps[COLOURS if more_is_better else f"{COLOURS}_r"].with_extremes(bad=NOTHING)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    wide = low > 0 and high > WIDE * low
    return colours, LogNorm(low, high) if wide else Normalize(low, high)


def ink_on(back: tuple[float, float, float, float]) -> str:
    """Black or white, whichever has the higher contrast (WCAG 2.1, relative luminance)."""
    light = luminance(back)
    return "white" if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else "black"


def luminance(colour: Any) -> float:
    """Relative luminance of red, green and blue from 0 to 1 (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
