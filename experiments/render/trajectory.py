"""The fluid path over a simulated sample path, as a figure and in the terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from experiments.render.figure import OKABE_ITO
from experiments.trajectory.following import Following
from orsched.atomic import replacing
from orsched.fitting import usable_tokens

ENDINGS = (".png", ".svg")
FLUID, SIMULATED, LIMIT = OKABE_ITO[1], OKABE_ITO[0], OKABE_ITO[6]


def write_trajectory(found: Following, path: Path) -> None:
    """Draw arrival rate, number in system and KV memory in use against time, as PNG or SVG by the name's ending.

    The two paths differ in colour, width and dashes.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 6.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    rate, number, memory = figure.subplots(3, 1, sharex=True, height_ratios=(1, 2, 2))
    times, levels = found.times_s, found.levels()
    rate.plot(times, [found.profile.rate_per_s_at(t) for t in times.tolist()], color=FLUID, drawstyle="steps-post")
    for axes, name in ((number, "in_system"), (memory, "kv_tokens")):
        scale = 1.0 if name == "in_system" else 1e-3
        simulated, fluid = levels["simulated"][name] * scale, levels["fluid"][name] * scale
        axes.plot(times, simulated, color=SIMULATED, linewidth=0.9, label=f"simulated, {found.policy}")
        axes.plot(times, fluid, color=FLUID, linewidth=2.2, label="fluid")
    number.plot(times, levels["fluid"]["waiting"], color=FLUID, linewidth=1.4, linestyle=":", label="fluid, waiting")
    capacity = found.fleet.size * usable_tokens(found.fleet.hardware)
    if np.max(memory.get_ylim()) > 0.6 * capacity * 1e-3:
        memory.axhline(capacity * 1e-3, color=LIMIT, linewidth=1.0, linestyle="--", label="capacity")
    rate.set_ylabel("arrivals (1/s)")
    number.set_ylabel("requests in system")
    memory.set_ylabel("KV memory in use\n(thousand tokens)")
    memory.set_xlabel("time (s)")
    figure.suptitle(title(found), fontsize="medium")
    for axes in (rate, number, memory):
        axes.grid(alpha=0.3)
        axes.set_ylim(bottom=0)
    for axes in (number, memory):
        axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, mpl.rc_context({"svg.hashsalt": "orsched"}):
        figure.savefig(part, format=path.suffix[1:], metadata=metadata)


def to_rich(found: Following) -> Group:
    """Build the averages of both paths over time, side by side."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("mean over time")
    for header in ("fluid", "simulated", "fluid - simulated"):
        grid.add_column(header, justify="right")
    means = found.means()
    labels = {"in_system": "requests in system", "waiting": "requests waiting", "kv_tokens": "KV tokens in use"}
    for name, label in labels.items():
        fluid, simulated = means["fluid"][name], means["simulated"][name]
        grid.add_row(label, f"{fluid:,.1f}", f"{simulated:,.1f}", f"{fluid - simulated:+,.1f}")
    note = "the fluid path is a limit for large systems, not a bound"
    return Group(Text(title(found)), Text(), grid, Text(note), Text(f"{found.wall_s:.2f} s"))


def title(found: Following) -> str:
    """What is shown, in one line."""
    requests = len(found.simulated.run)
    return f"{found.policy} on {found.workload}, {found.fleet.name}: {requests:,} requests, seed {found.seed}"
