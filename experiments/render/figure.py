"""Gap against load, rate or scale as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.render.drawing import PLAIN, drawing
from orsched.errors import InputError
from orsched.gap_table import GAP_METRIC, GapRow, GapTable, percent

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Colours that people with colour-vision deficiencies can tell apart (Okabe and Ito, 2008)."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
WIDE = 20
"""Ratio of the largest to the smallest gap from which the axis is logarithmic."""


AXIS_LABELS = {
    "load": "load (1 = edge of the planning LP's capacity region)",
    "rate_per_s": "arrival rate (requests/s)",
    "scale": "scale (multiple of the requests over one horizon)",
}
"""What the horizontal axis is called, by `GapTable.axis`."""


def write_figure(table: GapTable, path: Path) -> None:
    """Draw the gap of mean latency against the axis of the table as PNG, SVG or PDF, a line per policy, 95% intervals.

    Unstable rows have hollow markers. Policies differ in colour and in marker.

    Raises
    ------
    InputError
        When no row has a gap.
    """
    shown = [row for row in table.rows if GAP_METRIC in row.gaps]
    if not shown:
        raise InputError(f"no row has a gap of {GAP_METRIC}: there is nothing to draw")
    with drawing(path, 7.5, 4.8) as figure:
        axes = figure.add_subplot()
        for index, policy in enumerate(table.policies):
            _draw(axes, index, policy, [row for row in shown if row.policy == policy])
        gaps = [row.gaps[GAP_METRIC].estimate.mean for row in shown]
        if min(gaps) > 0 and max(gaps) > WIDE * min(gaps):
            axes.set_yscale("log")
        axes.set_xlabel(AXIS_LABELS.get(table.axis, table.axis))
        axes.set_ylabel("gap of mean latency to the best valid bound (%),\n95% intervals, hollow: unstable")
        axes.set_title(table.title, fontsize="medium", **PLAIN)
        axes.grid(alpha=0.3)
        for text in axes.legend(frameon=False).get_texts():
            text.set(**PLAIN)


def _draw(axes: Any, index: int, policy: str, rows: list[GapRow]) -> None:
    if not rows:
        return
    colour = OKABE_ITO[index % len(OKABE_ITO)]
    marker = MARKERS[index % len(MARKERS)]
    gaps = [percent(row.gaps[GAP_METRIC].estimate) for row in rows]
    places = [row.place for row in rows]
    means = [gap.mean for gap in gaps]
    widths = [gap.half_width or 0.0 for gap in gaps]
    label = f"{policy} ({rows[0].information})"
    axes.errorbar(places, means, yerr=widths, color=colour, marker=marker, capsize=3, linewidth=1.4, label=label)
    unstable = [(row.place, gap.mean) for row, gap in zip(rows, gaps, strict=True) if row.stable is False]
    if unstable:
        xs, ys = zip(*unstable, strict=True)
        axes.plot(xs, ys, linestyle="", marker=marker, color=colour, markerfacecolor="white", zorder=5)
