"""The gap to the best valid bound against the load, with 95% intervals."""

from __future__ import annotations

from typing import Any

from experiments.report.charts.encodings import ScaleType, SeriesMarks, data, scale_type, specification, value_axis
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
        floor = min(row["gap"] for row in rows) / 2
        rows = [row | {"low": max(row["low"], floor)} for row in rows]
    return Variant(metric, specification(_chart(setting, metric, kind), words, rows=rows), words)


def _row(series: str, at: float, gap: Gap, stable: bool, setting: Setting) -> dict[str, Any]:
    shown = percent(gap.estimate)
    width = shown.half_width or 0.0
    return {
        "series": series,
        "at": at,
        "gap": shown.mean,
        "low": shown.mean - width,
        "high": shown.mean + width,
        "stable": stable,
        "policy at": f"{series}, {setting.at_text(at)}",
        "text": f"{shown} %",
        "bound": gap.label,
    }


def _chart(setting: Setting, metric: str, kind: ScaleType) -> Any:
    import altair as alt

    marks = SeriesMarks(setting.series)
    scale = alt.Scale(type=kind)
    y = alt.Y("gap:Q", title=f"gap of {metric} (%)", scale=scale, axis=value_axis(kind))
    base = alt.Chart().encode(x=at_axis(setting), opacity=marks.opacity)
    line = base.mark_line(strokeWidth=1.8).encode(y=y, color=marks.colour, strokeDash=marks.dash, order="at:Q")
    bars = base.mark_rule(strokeWidth=1.4).encode(y=alt.Y("low:Q", title=""), y2="high:Q", color=marks.colour)
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
    return alt.layer(bars, line, points, data=data()).add_params(marks.shown)


def at_axis(setting: Setting) -> Any:
    """The horizontal axis of loads, rates or scales, with a tick at each."""
    import altair as alt

    kind = "log" if setting.table.axis == "scale" and scale_type(setting.columns) == "log" else "linear"
    return alt.X(
        "at:Q",
        title=setting.axis_title,
        scale=alt.Scale(type="log", padding=14) if kind == "log" else alt.Scale(zero=False, padding=14),
        axis=alt.Axis(values=list(setting.columns), format="~r", grid=False),
    )


def _words(rows: list[dict[str, Any]], setting: Setting) -> str:
    parts = []
    for series in setting.series:
        found = [f"{row['text']} at {row['at']:g}" for row in rows if row["series"] == series]
        if found:
            parts.append(f"{series}: {', '.join(found)}")
    return "; ".join(parts) + "."
