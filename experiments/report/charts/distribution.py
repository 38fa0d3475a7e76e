"""Distribution functions of latency, time to first token and time per output token."""

from __future__ import annotations

from typing import Any

from experiments.report.charts.encodings import SeriesMarks, data, scale_type, specification
from experiments.report.figure import Figure, Variant
from experiments.report.setting import Setting

TIMES = {
    "latency_s": ("latency", "Latency", "the time from arrival to completion"),
    "ttft_s": ("ttft", "Time to first token", "the time from arrival to first token"),
    "tpot_s": ("tpot", "Time per output token", "the time per output token after the first"),
}
"""What `Setting.quantiles` has, with the name of the file, the title and what it is."""

PERCENTS = (*range(0, 10), *range(10, 90, 4), *range(90, 101))
"""Percentiles that are drawn, of the 101 that results hold: all at the ends, every fourth between."""


def distribution_figures(setting: Setting) -> list[Figure]:
    """A figure per time, with a variant per load."""
    return [figure for time in TIMES if (figure := _figure(setting, time)) is not None]


def _figure(setting: Setting, time: str) -> Figure | None:
    name, title, what = TIMES[time]
    found = setting.quantiles[setting.quantiles["time"] == time]
    parts = [(point, found[found["point"] == point]) for point in setting.columns]
    variants = [_variant(setting, time, point, part) for point, part in parts if len(part)]
    if not variants:
        return None
    wanted = setting.at_text(setting.columns[setting.best_columns[0]])
    return Figure(
        name=f"{setting.name}-cdf-{name}",
        title=title,
        caption=(
            f"Share of requests for which {what} is at most so long, by percentiles averaged over replications (every "
            "fourth between 10% and 90%)."
        ),
        choice=setting.axis_name,
        variants=variants,
        first=next((i for i, variant in enumerate(variants) if variant.label == wanted), 0),
    )


def _variant(setting: Setting, time: str, at: float, found: Any) -> Variant:
    import altair as alt

    drawn = found[found["percentile"].isin(PERCENTS)]
    marks = SeriesMarks(setting.series)
    title = f"{TIMES[time][1].lower()} (s)"
    kind = scale_type(drawn["value"][drawn["percentile"].between(1, 99)])
    scale = alt.Scale(type=kind, nice=False) if kind == "log" else alt.Scale(zero=False, nice=False)
    rows = (
        {"series": series, "p": float(p), "s": float(value)}
        for series, p, value in drawn[["series", "percentile", "value"]].itertuples(index=False)
    )
    chart = (
        alt.Chart(data())
        .mark_line(strokeWidth=1.8, interpolate="monotone", clip=True)
        .encode(
            x=alt.X("s:Q", title=title, scale=scale, axis=alt.Axis(format=",~r", tickCount=5, grid=kind == "linear")),
            y=alt.Y("p:Q", title="share of requests (%)", scale=alt.Scale(domain=[0, 100])),
            color=marks.colour,
            strokeDash=marks.dash,
            opacity=marks.opacity,
            order="p:Q",
            tooltip=[
                alt.Tooltip("series:N", title="policy"),
                alt.Tooltip("p:Q", title="percentile"),
                alt.Tooltip("s:Q", title=title, format=".4~g"),
            ],
        )
        .add_params(marks.shown)
    )
    words = f"At {setting.at_text(at)}, {title}, median and 99th percentile. " + _words(found)
    return Variant(setting.at_text(at), specification(chart, words, rows=rows), words)


def _words(found: Any) -> str:
    table = found.pivot_table(index="series", columns="percentile", values="value", sort=False)
    return "; ".join(f"{series}: {row[50]:.4g} and {row[99]:.4g}" for series, row in table.iterrows()) + "."
