"""What happened to some consecutive requests: waiting, prefill, decode, one line each."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from experiments.report.charts.encodings import data, specification, written
from experiments.report.charts.thinning import rounded
from experiments.report.figure import Figure, Variant
from experiments.report.palette import PHASES
from experiments.report.scene import Scene
from experiments.report.setting import Setting
from orsched.run import Run
from orsched.work import Floats

THICKNESS = {"waiting": 2, "prefill": 7, "decode": 4}
"""Pixels: the phases differ in thickness as well as in colour."""


START = "datum.from + (datum.phase === 'waiting' ? 0 : datum.waiting) + (datum.phase === 'decode' ? datum.prefill : 0)"
"""Where the bar of a phase begins, a Vega expression."""

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
    ends_s = run.completion_s[window.start : window.stop]
    span_s = float(np.fmax.reduce(ends_s, initial=scene.first_s) - run.arrival_s[window.start])
    rows = [_row(run, request, scene.first_s, span_s) for request in window if not run.rejected[request]]
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


def _row(run: Run, request: int, first_s: float, span_s: float) -> dict[str, Any]:
    """When a request arrived, to what is seen, and how long each phase took, to four digits; null: it did not end."""
    return {
        "request": request,
        "from": float(rounded(run.arrival_s[request] - first_s, span_s)),
        "waiting": _lasts(run.arrival_s, run.first_scheduled_s, request),
        "prefill": _lasts(run.first_scheduled_s, run.first_token_s, request),
        "decode": _lasts(run.first_token_s, run.completion_s, request),
        "tokens": f"{run.input_tokens[request]:,} in, {run.output_tokens[request]:,} out",
        "where": int(run.instance[request]),
        "lost": int(run.preemptions[request]),
    }


def _lasts(start_s: Floats, end_s: Floats, request: int) -> float | None:
    found = float(end_s[request] - start_s[request])
    return float(f"{found:.4g}") if math.isfinite(found) else None


@lru_cache
def _chart(some_lost: bool) -> dict[str, Any]:
    import altair as alt

    phases = alt.Scale(domain=list(PHASES), range="ordinal")
    sizes = alt.Scale(domain=list(PHASES), range=[THICKNESS[phase] for phase in PHASES])
    base = alt.Chart(data()).encode(
        y=alt.Y("request:O", title="request (in order of arrival)", axis=alt.Axis(labels=False, ticks=False))
    )
    tooltip = [
        *(alt.Tooltip("request:O"), alt.Tooltip("phase:N"), alt.Tooltip("lasts:Q", title="lasts (s)", format=".4~g")),
        *(
            alt.Tooltip("tokens:N"),
            alt.Tooltip("where:N", title="instance"),
            alt.Tooltip("lost:Q", title="preemptions"),
        ),
    ]
    bars = (
        base.transform_fold(list(PHASES), as_=["phase", "lasts"])
        .transform_filter("isNumber(datum.lasts) && (datum.lasts > 0 || datum.phase === 'decode')")
        .transform_calculate(start=START)
        .transform_calculate(end="datum.start + datum.lasts")
    )
    drawn = bars.mark_rule().encode(
        x=alt.X("start:Q", title="time since the first arrival (s)", scale=alt.Scale(zero=False, nice=False)),
        x2="end:Q",
        color=alt.Color("phase:N", scale=phases),
        strokeWidth=alt.StrokeWidth("phase:O", scale=sizes),
        tooltip=tooltip,
    )
    crosses = (
        bars.transform_filter("datum.lost > 0 && datum.phase === 'decode'")
        .mark_point(shape="cross", angle=45, size=60, filled=True, style="ink-mark")
        .encode(x="end:Q", tooltip=tooltip)
    )
    return written(alt.layer(drawn, crosses) if some_lost else drawn)
