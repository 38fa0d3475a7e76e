"""KV memory in use and requests in the system over one sample path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from experiments.report.charts.encodings import SeriesMarks, data, specification
from experiments.report.figure import Figure, Variant
from experiments.report.scene import BINS, Scene
from experiments.report.setting import Setting
from experiments.sample_path import SamplePath
from orsched.work import Floats

Look = Callable[[SamplePath, Floats], Floats]

QUANTITIES: dict[str, Look] = {
    "KV memory in use (% of capacity)": SamplePath.kv_tokens_at,
    "requests in the system": SamplePath.in_system_at,
    "requests waiting (never scheduled before)": SamplePath.waiting_at,
}


def over_time_figure(setting: Setting, scene: Scene) -> Figure:
    """A variant per quantity."""
    left_out = f" Left out: {'; '.join(scene.left_out)}." if scene.left_out else ""
    return Figure(
        name=f"{setting.name}-over-time",
        title="KV memory and requests over time",
        caption=(
            f"One sample path simulated again: {scene.title}. The path is cut into {BINS} equal parts and the largest "
            f"value of each is drawn.{left_out}"
        ),
        choice="quantity",
        variants=[_variant(setting, scene, title) for title in QUANTITIES],
        span=6,
    )


def _variant(setting: Setting, scene: Scene, title: str) -> Variant:
    import altair as alt

    times_s = scene.times_s()
    since_s = times_s[:, 0] - scene.first_s
    memory = QUANTITIES[title] == SamplePath.kv_tokens_at
    unit = 100 / scene.capacity_tokens if memory else 1.0
    found = {
        series: QUANTITIES[title](path, times_s.ravel()).reshape(times_s.shape).max(axis=1) * unit
        for series, path in scene.paths.items()
    }
    rows = (
        {"series": series, "s": float(at), "y": float(y)}
        for series, column in found.items()
        for at, y in zip(since_s, column, strict=True)
    )
    marks = SeriesMarks(setting.series)
    lines = (
        alt.Chart(data())
        .mark_line(strokeWidth=1.4, interpolate="step-after")
        .encode(
            x=alt.X("s:Q", title="time since the first arrival (s)", scale=alt.Scale(nice=False)),
            y=alt.Y("y:Q", title=title),
            color=marks.colour,
            strokeDash=marks.dash,
            opacity=marks.opacity,
            tooltip=[
                alt.Tooltip("series:N", title="policy"),
                alt.Tooltip("s:Q", title="time (s)", format=".4~g"),
                alt.Tooltip("y:Q", title=title, format=".4~g"),
            ],
        )
        .add_params(marks.shown)
    )
    chart: Any = lines
    datasets: dict[str, Iterable[dict[str, object]]] = {"rows": rows}
    words = ""
    if memory:
        full = alt.Chart(data("memory")).mark_rule(strokeDash=[1, 4], strokeWidth=2, style="ink-line")
        chart = alt.layer(lines, full.encode(y="full:Q"))
        datasets["memory"] = [{"full": 100}]
        words = f"100% are {scene.capacity_tokens:,} tokens, the dotted line. "
    words = f"{title[0].upper()}{title[1:]}, {scene.title}. {words}" + "; ".join(
        f"{series}: at most {column.max():.3g}, on average {np.mean(column):.3g}" for series, column in found.items()
    )
    return Variant(title, specification(chart, words + ".", **datasets), words + ".")
