"""KV memory in use and requests in the system over one sample path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from experiments.paths.sample_path import SamplePath
from experiments.report.charts.encodings import MOST_WRITTEN, SeriesMarks, data, short, specification, written
from experiments.report.charts.thinning import rounded
from experiments.report.figure import Figure, Variant
from experiments.report.scene import BINS, LOOKS, Scene
from experiments.report.setting import Setting
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
            f"value of each is drawn, to 0.1% of the axis.{left_out}"
        ),
        choice="quantity",
        variants=[_variant(setting, scene, title) for title in QUANTITIES],
        span=6,
    )


def _variant(setting: Setting, scene: Scene, title: str) -> Variant:
    times_s = scene.times_s()
    memory = QUANTITIES[title] == SamplePath.kv_tokens_at
    unit = 100 / scene.capacity_tokens if memory else 1.0
    found = {
        series: QUANTITIES[title](path, times_s.ravel()).reshape(times_s.shape).max(axis=1) * unit
        for series, path in scene.paths.items()
    }
    each_s = (scene.end_s - scene.first_s) * LOOKS / (BINS * LOOKS - 1)  # from the first look of a part to the next's
    datasets: dict[str, Iterable[dict[str, object]]] = {"rows": _steps(found, each_s)}
    words = ""
    if memory:
        datasets["memory"] = [{"full": 100}]
        words = f"100% are {scene.capacity_tokens:,} tokens, the dotted line. "
    words = f"{title[0].upper()}{title[1:]}, {scene.title}. {words}" + "; ".join(
        f"{series}: at most {column.max():.3g}, on average {np.mean(column):.3g}" for series, column in found.items()
    )
    return Variant(title, specification(_chart(setting.series, title), words + ".", **datasets), words + ".")


@lru_cache(MOST_WRITTEN)
def _chart(series: tuple[str, ...], title: str) -> dict[str, Any]:
    import altair as alt

    marks = SeriesMarks(series)
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
        .transform_calculate(s="datum.part * datum.each")
        .add_params(marks.shown)
    )
    full = alt.Chart(data("memory")).mark_rule(strokeDash=[1, 4], strokeWidth=2, style="ink-line").encode(y="full:Q")
    return written(alt.layer(lines, full) if QUANTITIES[title] == SamplePath.kv_tokens_at else lines)


def _steps(found: Mapping[str, Floats], each_s: float) -> Iterator[dict[str, object]]:
    """The parts of the path where a line goes up or down, and the last."""
    top = max(float(column.max()) for column in found.values())
    for series, column in found.items():
        heights = rounded(column, top)
        kept = np.flatnonzero(np.diff(heights, prepend=np.nan) != 0).tolist()
        for part in dict.fromkeys([*kept, len(heights) - 1]):
            yield {"series": series, "part": part, "each": short(each_s), "y": float(heights[part])}
