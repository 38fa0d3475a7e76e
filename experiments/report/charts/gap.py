"""The gap to the best valid bound against the load, with 95% intervals."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from experiments.report.charts.encodings import (
    MOST_WRITTEN,
    ScaleType,
    SeriesMarks,
    data,
    scale_type,
    short,
    specification,
    value_axis,
    written,
)
from experiments.report.figure import Figure, Variant
from experiments.report.setting import Setting
from orsched.gap_table import Gap, percent


def gap_figure(setting: Setting) -> Figure | None:
    """One variant per metric that the experiment shows and that has a gap; None without any."""
    variants = [_variant(setting, metric) for metric in setting.gap_metrics if metric in setting.metrics]
    if not variants:
        return None
    return Figure(
        name=f"{setting.name}-gap",
        title="Gap to the best valid bound",
        caption=(
            "How much worse than what no policy can beat on the same requests; 0% is optimal. Bars are 95% intervals "
            "over replications. Hollow markers: unstable there, so the value is that of a path that never settles. "
            "On a logarithmic axis a bar that would pass zero ends at half the smallest gap."
        ),
        choice="metric",
        variants=variants,
        span=3,
    )


def _variant(setting: Setting, metric: str) -> Variant:
    rows = [
        _row(series, at, row.gaps[metric], row.stable is not False, setting)
        for (series, at), row in setting.rows.items()
        if metric in row.gaps
    ]
    words = f"Gap of {metric} in per cent. " + _words(rows, setting)
    kind = scale_type(row["gap"] for row in rows)
    if kind == "log":
        least = short(min(row["gap"] for row in rows) / 2)
        rows = [row | {"least": least} for row in rows]
    chart = _chart(setting.series, at_axis(setting), metric, kind)
    return Variant(metric, specification(chart, words, rows=rows), words)


def _row(series: str, at: float, gap: Gap, stable: bool, setting: Setting) -> dict[str, Any]:
    shown = percent(gap.estimate)
    return {
        "series": series,
        "at": at,
        "gap": short(shown.mean),
        "half": short(shown.half_width or 0.0),
        "stable": stable,
        "policy at": f"{series}, {setting.at_text(at)}",
        "text": f"{shown} %",
        "bound": gap.label,
    }


@lru_cache(MOST_WRITTEN)
def _chart(series: tuple[str, ...], axis: AtAxis, metric: str, kind: ScaleType) -> dict[str, Any]:
    import altair as alt

    marks = SeriesMarks(series)
    scale = alt.Scale(type=kind)
    y = alt.Y("gap:Q", title=f"gap of {metric} (%)", scale=scale, axis=value_axis(kind))
    base = alt.Chart().encode(x=axis.encoding(), opacity=marks.opacity)
    line = base.mark_line(strokeWidth=1.8).encode(y=y, color=marks.colour, strokeDash=marks.dash, order="at:Q")
    low = "max(datum.gap - datum.half, datum.least)" if kind == "log" else "datum.gap - datum.half"
    bars = (
        base.mark_rule(strokeWidth=1.4)
        .encode(y=alt.Y("low:Q", title=""), y2="high:Q", color=marks.colour)
        .transform_calculate(low=low, high="datum.gap + datum.half")
    )
    points = base.mark_point(size=75, strokeWidth=1.6).encode(
        y=y,
        color=marks.colour,
        shape=marks.shape,
        fill=alt.condition("datum.stable", marks.fill, alt.value("transparent")),
        tooltip=[
            alt.Tooltip("policy at:N", title="policy"),
            alt.Tooltip("text:N", title="gap"),
            alt.Tooltip("bound:N", title="bound"),
        ],
    )
    return written(alt.layer(bars, line, points, data=data()).add_params(marks.shown))


class AtAxis(NamedTuple):
    """The horizontal axis of loads, rates or scales, with a tick at each."""

    title: str
    columns: tuple[float, ...]
    kind: ScaleType

    def encoding(self) -> Any:
        """As a channel."""
        import altair as alt

        return alt.X(
            "at:Q",
            title=self.title,
            scale=alt.Scale(type="log", padding=14) if self.kind == "log" else alt.Scale(zero=False, padding=14),
            axis=alt.Axis(values=list(self.columns), format="~r", grid=False),
        )


def at_axis(setting: Setting) -> AtAxis:
    """That of a setting; scales that differ much by their logarithms."""
    kind = scale_type(setting.columns) if setting.table.axis == "scale" else "linear"
    return AtAxis(setting.axis_title, setting.columns, kind)


def _words(rows: list[dict[str, Any]], setting: Setting) -> str:
    parts = []
    for series in setting.series:
        found = [f"{row['text']} at {row['at']:g}" for row in rows if row["series"] == series]
        if found:
            parts.append(f"{series}: {', '.join(found)}")
    return "; ".join(parts) + "."
