"""The words of gap tables: what columns are called, where rows stand, and rows as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orsched.statistics.estimate import Estimate

if TYPE_CHECKING:
    from orsched.gap_row import GapRow

SHOWN = ("latency_mean_s", "ttft_p99_s", "tpot_p99_s", "effective_throughput_tokens_per_s")
"""Metrics that a gap table shows unless told others."""

GAP_METRIC = "latency_mean_s"
"""The metric whose gap every gap table shows."""

NAMES: Mapping[str, str] = {
    "latency_mean_s": "mean latency (s)",
    "ttft_p99_s": "p99 TTFT (s)",
    "tpot_p99_s": "p99 TPOT (s)",
    "effective_throughput_tokens_per_s": "eff. throughput (token/s)",
}
"""What columns of metrics are called; others by the metric's own name."""

AXIS_HEADERS: Mapping[str, str] = {"load": "load", "rate_per_s": "rate (1/s)", "scale": "scale"}
"""What the axis is called, by `GapTable.axis`: a word, and its unit in brackets."""


def headers(axis: str = "load", metrics: Sequence[str] = SHOWN) -> tuple[str, ...]:
    """Column headers of the text form of a table with that axis and those metrics."""
    place = AXIS_HEADERS.get(axis, axis)
    return ("policy", "information", place, *(NAMES.get(name, name) for name in metrics), "gap (%)", "bound", "stable")


HEADERS = headers()
"""Column headers of the text form of a table of loads with the usual metrics."""

ABSENT = ""
UNSTABLE = "unstable"


def located(axis: str, *places: str) -> str:
    """Places on an axis in words, as ``"load 0.5, 0.9"``, ``"rate 4.7 (1/s)"`` or ``"scale 16"``."""
    name, _, unit = AXIS_HEADERS.get(axis, axis).partition(" ")
    return " ".join(filter(None, (name, ", ".join(places), unit)))


def row_cells(row: GapRow, metrics: Sequence[str] = SHOWN) -> tuple[str, ...]:
    """A row as text, in the order of `headers` for these metrics.

    All but throughputs of an unstable row depends on how long it was watched, so the word ``unstable`` stands in the
    first such column and in that of the gap, and the others stay empty; data files keep the numbers. A metric that was
    not measured and a gap without a bound stay empty.
    """
    gap = row.gaps.get(GAP_METRIC)
    texts = [ABSENT if name not in row.metrics else str(row.metrics[name]) for name in metrics]
    gap_text = ABSENT if gap is None else str(percent(gap.estimate))
    if row.stable is False:
        hidden = [place for place, name in enumerate(metrics) if "throughput" not in name]
        for place in hidden:
            texts[place] = UNSTABLE if place == hidden[0] else ABSENT
        gap_text = UNSTABLE
    bound = ABSENT if gap is None else gap.label
    return (row.policy, row.information, f"{row.place:g}", *texts, gap_text, bound, row.stability)


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells as lines of text, with the columns below each other."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines]


def percent(value: Estimate) -> Estimate:
    """A fraction as a percentage."""
    half_width = None if value.half_width is None else 100 * value.half_width
    return Estimate(100 * value.mean, half_width, value.n, value.level)
