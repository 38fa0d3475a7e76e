"""The time line of a fleet: instances by tier and state, load from the most to the least loaded, what happened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.fleet.drawable import drawable
from experiments.render.figure import OKABE_ITO
from orsched.atomic import replacing
from orsched.engine.state import State
from orsched.fleet_log import FleetLog, Kind

if TYPE_CHECKING:
    from orsched.step_function import StepFunction

ENDINGS = (".svg", ".png")

MOST_SHOWN = 4
"""Most policies side by side; of more, the first are drawn."""

MOST_NAME, MOST_LABEL, MOST_TIER = 80, 50, 20
"""Most characters of the experiment's name, of a policy's label and of a tier's name in the figure."""

MARKS: tuple[tuple[Kind, str, str], ...] = (
    ("died", "X", OKABE_ITO[1]),
    ("repaired", "P", OKABE_ITO[2]),
    ("start", "^", OKABE_ITO[0]),
    ("start-failed", "x", OKABE_ITO[1]),
    ("stop", "v", OKABE_ITO[4]),
    ("link", "s", OKABE_ITO[3]),
    ("migrated", "|", OKABE_ITO[0]),
    ("migration-given-up", "|", OKABE_ITO[4]),
    ("restarted", "|", OKABE_ITO[1]),
    ("rejected", "|", OKABE_ITO[6]),
)
"""Events that are drawn, with marker and colour."""

IDLE_STATES = ((State.STARTING, "0.75"), (State.DRAINING, "0.6"), (State.DEAD, "0.3"))
"""States drawn above the serving instances, with their greys; those that are off are the white above."""


def write_timeline(name: str, logs: Mapping[str, FleetLog], path: Path) -> None:
    """Draw one column per policy, as PNG or SVG by the name's ending.

    Top: serving instances by tier (by role, where there are no tiers), above them those that start, drain or are dead.
    Middle: requests in system, the most loaded instance of each instant at the bottom, the least loaded on top.
    Bottom: what happened, if anything did.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = dict(list(logs.items())[:MOST_SHOWN])
    figure = Figure(figsize=(2.2 + 4.6 * len(shown), 7.2), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    eventful = any(log.count(kind) for log in shown.values() for kind, _, _ in MARKS)
    heights = (2, 2, 1.3) if eventful else (2, 2)
    grid = figure.subplots(len(heights), len(shown), squeeze=False, sharex=True, height_ratios=heights)
    most = max(
        [int(log.samples.in_system.max(initial=0)) for log in shown.values() if log.samples is not None], default=0
    )
    mesh = None
    for column, (label, log) in zip(grid.T, shown.items(), strict=True):
        end_s = _end_s(log)
        _draw_instances(column[0], label, log, end_s)
        mesh = _draw_gradient(column[1], log, max(most, 1)) or mesh
        if eventful:
            _draw_events(column[2], log)
        column[-1].set_xlabel("time (s)")
        column[0].set_xlim(0, end_s)
    grid[0, 0].set_ylabel("instances")
    grid[1, 0].set_ylabel("instances by load")
    if mesh is not None:
        figure.colorbar(mesh, ax=grid[1, :], pad=0.01, label=f"requests in system{_distance(shown)}")
    figure.suptitle(f"{drawable(name, MOST_NAME)}, first path", fontsize="medium", parse_math=False)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with replacing(path) as part, mpl.rc_context({"svg.hashsalt": "orsched"}):
        figure.savefig(part, format=path.suffix[1:], metadata=metadata)


def _distance(logs: Mapping[str, FleetLog]) -> str:
    """How far apart the samples are, if there are any; the same for all policies."""
    sampled = [log.samples.times_s for log in logs.values() if log.samples is not None and len(log.samples.times_s) > 1]
    return f", every {sampled[0][1] - sampled[0][0]:.3g} s" if sampled else ""


def _end_s(log: FleetLog) -> float:
    last = [log.events[-1].time_s] if log.events else []
    if log.samples is not None and len(log.samples.times_s):
        last.append(float(log.samples.times_s[-1]))
    return max([*last, 1e-9])


def _draw_instances(axes: Any, label: str, log: FleetLog, end_s: float) -> None:
    tiers = log.instances_per_tier()
    serving: dict[str, StepFunction]
    if set(tiers) == {None}:
        serving = {str(role): steps for role, steps in log.instances_per_role().items()}
    else:
        serving = {"no tier" if tier is None else tier: steps for tier, steps in tiers.items()}
    states = log.states_over_time()
    others = {str(state): (states[state], grey) for state, grey in IDLE_STATES if states[state].values.any()}
    curves = [*serving.values(), *(steps for steps, _ in others.values())]
    times = np.unique(np.concatenate([*(steps.times_s for steps in curves), [0.0, end_s]]))
    times = times[times <= end_s]
    colours = [OKABE_ITO[k % len(OKABE_ITO)] for k in range(len(serving))] + [grey for _, grey in others.values()]
    heights = np.array([steps.at(times) for steps in curves])
    areas = axes.stackplot(times, heights, step="post", colors=colours, alpha=0.85, linewidth=0)
    axes.set_ylim(0, log.size)
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1.06), "borderaxespad": 0}
    labels = [drawable(one, MOST_TIER) for one in (*serving, *others)]
    legend = axes.legend(areas, labels, frameon=False, fontsize="small", ncols=3, alignment="left", **place)
    legend.set_title(drawable(label, MOST_LABEL), {"size": "medium"})
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_parse_math(False)


def _draw_gradient(axes: Any, log: FleetLog, most: int) -> Any:
    """Draw the load, if it was sampled, and return what a colour bar needs."""
    if log.samples is None or len(log.samples.times_s) < 2:
        axes.text(0.5, 0.5, "no samples", ha="center", va="center", transform=axes.transAxes)
        return None
    times = log.samples.times_s
    edges = np.append(times, 2 * times[-1] - times[-2])
    ranks = np.arange(log.size + 1)
    return axes.pcolormesh(edges, ranks, log.samples.gradient().T, cmap="viridis", vmin=0, vmax=most, rasterized=True)


def _draw_events(axes: Any, log: FleetLog) -> None:
    happened = [(kind, marker, colour) for kind, marker, colour in MARKS if log.count(kind)]
    for row, (kind, marker, colour) in enumerate(happened):
        times = log.times_s(kind)
        axes.scatter(times, np.full(len(times), row), marker=marker, color=colour, s=22, alpha=0.6, rasterized=True)
    axes.set_yticks(
        range(len(happened)), [f"{kind} ({log.count(kind):,})" for kind, _, _ in happened], fontsize="small"
    )
    axes.set_ylim(-0.6, max(len(happened), 1) - 0.4)
