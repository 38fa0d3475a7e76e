"""What happened to some consecutive requests: waiting, prefill, decode, one line each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from experiments.report.charts.encodings import data, specification
from experiments.report.figure import Figure, Variant
from experiments.report.palette import PHASES
from experiments.report.scene import Scene
from experiments.report.setting import Setting
from orsched.run import Run

THICKNESS = {"waiting": 2, "prefill": 7, "decode": 4}
"""Pixels: the phases differ in thickness as well as in colour."""


KEYS = (
    ("phase-0", "from arrival to first scheduling"),
    ("phase-1", "prefill, to the first token"),
    ("phase-2", "decode, to completion"),
)


def time_line_figure(setting: Setting, scene: Scene) -> Figure:
    """A variant per series: the same requests under each policy."""
    window = scene.window()
    return Figure(
        name=f"{setting.name}-time-line",
        title="A batch window, request by request",
        caption=(
            f"{scene.title}: the {len(window)} requests that arrived before the busiest moment of the first policy, "
            "the same ones for every policy. A cross: it lost its KV memory on the way and was recomputed."
        ),
        choice="policy",
        variants=[_variant(scene, series, path.run, window) for series, path in scene.paths.items()],
        span=6,
        keys=KEYS,
    )


def _variant(scene: Scene, series: str, run: Run, window: range) -> Variant:
    rows = [row for request in window for row in _bars(run, request, scene.first_s)]
    inside = np.array(window)
    served = inside[run.rejected[inside] == 0]
    lost = int((run.preemptions[served] > 0).sum())
    words = (
        f"{series}: {len(served)} of {len(window)} requests served; on average {run.queueing_s[served].mean():.4g} s "
        f"waiting, {(run.first_token_s - run.first_scheduled_s)[served].mean():.4g} s prefill, "
        f"{(run.completion_s - run.first_token_s)[served].mean():.4g} s decode; {lost} preempted."
        if len(served)
        else f"{series}: none of these requests was served."
    )
    return Variant(series, specification(_chart(lost > 0), words, rows=rows), words)


def _bars(run: Run, request: int, first_s: float) -> list[dict[str, Any]]:
    if run.rejected[request]:
        return []
    times_s = (run.arrival_s, run.first_scheduled_s, run.first_token_s, run.completion_s)
    moments = [float(column[request]) - first_s for column in times_s]
    text = f"{run.input_tokens[request]:,} in, {run.output_tokens[request]:,} out"
    lost = int(run.preemptions[request])
    return [
        {
            "request": request,
            "phase": phase,
            "from": start,
            "to": end,
            "lasts": f"{end - start:.4g} s",
            "tokens": text,
            "where": int(run.instance[request]),
            "lost": lost if phase == "decode" else 0,
        }
        for phase, start, end in zip(PHASES, moments, moments[1:], strict=False)
        if math.isfinite(end) and (end > start or phase == "decode")
    ]


def _chart(some_lost: bool) -> Any:
    import altair as alt

    phases = alt.Scale(domain=list(PHASES), range="ordinal")
    sizes = alt.Scale(domain=list(PHASES), range=[THICKNESS[phase] for phase in PHASES])
    base = alt.Chart(data()).encode(
        y=alt.Y("request:O", title="request (in order of arrival)", axis=alt.Axis(labels=False, ticks=False))
    )
    tooltip = [
        *(alt.Tooltip("request:O"), alt.Tooltip("phase:N"), alt.Tooltip("lasts:N"), alt.Tooltip("tokens:N")),
        *(alt.Tooltip("where:N", title="instance"), alt.Tooltip("lost:Q", title="preemptions")),
    ]
    bars = base.mark_rule().encode(
        x=alt.X("from:Q", title="time since the first arrival (s)", scale=alt.Scale(zero=False, nice=False)),
        x2="to:Q",
        color=alt.Color("phase:N", scale=phases),
        strokeWidth=alt.StrokeWidth("phase:O", scale=sizes),
        tooltip=tooltip,
    )
    crosses = (
        base.transform_filter("datum.lost > 0")
        .mark_point(shape="cross", angle=45, size=60, filled=True, style="ink-mark")
        .encode(x="to:Q", tooltip=tooltip)
    )
    return alt.layer(bars, crosses) if some_lost else bars
