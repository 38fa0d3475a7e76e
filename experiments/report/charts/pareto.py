"""Latency against throughput: which policies are beaten in both."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

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

THROUGHPUT = "effective_throughput_tokens_per_s"
TIMES = ("latency_mean_s", "ttft_p99_s", "tpot_p99_s")


def pareto_figure(setting: Setting) -> Figure | None:
    """One variant per time; None when there is nothing to compare."""
    variants = [variant for metric in TIMES if (variant := _variant(setting, metric)) is not None]
    if not variants:
        return None
    return Figure(
        name=f"{setting.name}-pareto",
        title="Latency against throughput",
        caption=(
            "Output tokens after each request's first, per second, and a time. One marker per policy and load; "
            "right and down is better. The dotted grey line joins the outcomes that "
            "no other beats in both (Pareto front, by their means). Hollow markers: unstable."
        ),
        choice="metric",
        variants=variants,
        span=3,
    )


def front(points: list[tuple[float, float]]) -> list[int]:
    """Positions of the points that no other one matches in throughput (first) at a smaller time (second)."""
    order = sorted(range(len(points)), key=lambda i: (-points[i][0], points[i][1]))
    found: list[int] = []
    for index in order:
        if not found or points[index][1] < points[found[-1]][1]:
            found.append(index)
    return found[::-1]


def _variant(setting: Setting, metric: str) -> Variant | None:
    rows: list[dict[str, Any]] = [
        {
            "series": series,
            "at": at,
            "x": short(row.metrics[THROUGHPUT].mean),
            "y": short(row.metrics[metric].mean),
            "stable": row.stable is not False,
            "policy at": f"{series}, {setting.at_text(at)}",
            "throughput": f"{row.metrics[THROUGHPUT]} token/s",
            "time": f"{row.metrics[metric]} s",
        }
        for (series, at), row in setting.rows.items()
        if metric in row.metrics and THROUGHPUT in row.metrics
    ]
    if not rows:
        return None
    best = [rows[i] for i in front([(row["x"], row["y"]) for row in rows])]
    words = f"Not beaten in both throughput and {metric}: " + "; ".join(
        f"{row['policy at']} ({row['throughput']}, {row['time']})" for row in best
    )
    chart = _chart(setting.series, metric, scale_type(row["y"] for row in rows))
    corners = [{"x": row["x"], "y": row["y"]} for row in best]
    return Variant(metric, specification(chart, words + ".", rows=rows, front=corners), words + ".")


@lru_cache(MOST_WRITTEN)
def _chart(series: tuple[str, ...], metric: str, kind: ScaleType) -> dict[str, Any]:
    import altair as alt

    marks = SeriesMarks(series)
    vertical = alt.Scale(type=kind, padding=14) if kind == "log" else alt.Scale(zero=False, padding=14)
    x = alt.X(
        "x:Q",
        title="effective throughput (token/s)",
        scale=alt.Scale(zero=False, padding=14),
        axis=alt.Axis(format=",~r"),
    )
    y = alt.Y("y:Q", title=f"{metric.removesuffix('_s')} (s)", scale=vertical, axis=value_axis(kind))
    base = alt.Chart().encode(x=x, y=y, opacity=marks.opacity)
    edge = (
        alt.Chart(data("front"))
        .mark_line(interpolate="step-before", strokeDash=[1, 4], strokeWidth=2, style="ink-line", opacity=0.55)
        .encode(x=x, y=y, order="x:Q")
    )
    line = base.mark_line(strokeWidth=1.2).encode(color=marks.colour, strokeDash=marks.dash, order="at:Q")
    points = base.mark_point(size=75, strokeWidth=1.6).encode(
        color=marks.colour,
        shape=marks.shape,
        fill=alt.condition("datum.stable", marks.fill, alt.value("transparent")),
        tooltip=[
            alt.Tooltip("policy at:N", title="policy"),
            alt.Tooltip("throughput:N"),
            alt.Tooltip("time:N", title=metric),
        ],
    )
    return written(alt.layer(edge, line, points, data=data()).add_params(marks.shown))
