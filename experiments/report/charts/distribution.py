"""Distribution functions of latency, time to first token and time per output token."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from experiments.report.charts.encodings import (
    MOST_WRITTEN,
    ScaleType,
    SeriesMarks,
    data,
    scale_type,
    specification,
    written,
)
from experiments.report.charts.thinning import four_digits, rounded, shares, thinned
from experiments.report.figure import Figure, Variant
from experiments.report.setting import Setting

TIMES = {
    "latency_s": ("latency", "Latency", "the time from arrival to completion"),
    "ttft_s": ("ttft", "Time to first token", "the time from arrival to first token"),
    "tpot_s": ("tpot", "Time per output token", "the time per output token after the first"),
}
"""What `Setting.quantiles` has, with the name of the file, the title and what it is."""


def distribution_figures(setting: Setting) -> list[Figure]:
    """A figure per time, with a variant per load."""
    return [figure for time in TIMES if (figure := _figure(setting, time)) is not None]


def _figure(setting: Setting, time: str) -> Figure | None:
    name, title, what = TIMES[time]
    found = setting.quantiles[setting.quantiles["time"] == time].dropna(subset="value")
    parts = [(point, found[found["point"] == point]) for point in setting.columns]
    variants = [_variant(setting, time, point, part) for point, part in parts if len(part)]
    if not variants:
        return None
    wanted = setting.at_text(setting.columns[setting.best_columns[0]])
    return Figure(
        name=f"{setting.name}-cdf-{name}",
        title=title,
        caption=(
            f"Share of requests for which {what} is at most so long, by percentiles averaged over replications; "
            "the line drawn is within 0.2% of an axis of the one through all 101 of them."
        ),
        choice=setting.axis_name,
        variants=variants,
        first=next((i for i, variant in enumerate(variants) if variant.label == wanted), 0),
    )


def _variant(setting: Setting, time: str, at: float, found: Any) -> Variant:
    title = f"{TIMES[time][1].lower()} (s)"
    low, high = float(found["value"].min()), float(found["value"].max())
    kind = scale_type(found["value"][found["percentile"].between(1, 99)]) if low > 0 else "linear"
    words = f"At {setting.at_text(at)}, {title}, median and 99th percentile. " + _words(found)
    chart = _chart(setting.series, title, kind)
    return Variant(setting.at_text(at), specification(chart, words, rows=_rows(found, low, high, kind)), words)


@lru_cache(MOST_WRITTEN)
def _chart(series: tuple[str, ...], title: str, kind: ScaleType) -> dict[str, Any]:
    import altair as alt

    marks = SeriesMarks(series)
    scale = alt.Scale(type=kind, nice=False) if kind == "log" else alt.Scale(zero=False, nice=False)
    return written(
        alt.Chart(data())
        .mark_line(strokeWidth=1.8, clip=True)
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


def _rows(found: Any, low: float, high: float, kind: ScaleType) -> Iterator[dict[str, object]]:
    """The percentiles that each series' line needs, with as many decimals as are seen."""
    for series, line in found.groupby("series", sort=False):
        percents, times_s = line["percentile"].to_numpy(dtype=float), line["value"].to_numpy(dtype=float)
        drawn_s = four_digits(times_s) if kind == "log" else rounded(times_s, high - low)
        for index in thinned(shares(drawn_s, low, high, kind), percents / 100):
            yield {"series": series, "p": int(percents[index]), "s": float(drawn_s[index])}


def _words(found: Any) -> str:
    table = found.pivot_table(index="series", columns="percentile", values="value", sort=False)
    return "; ".join(f"{series}: {row[50]:.4g} and {row[99]:.4g}" for series, row in table.iterrows()) + "."
