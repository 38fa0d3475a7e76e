"""P99 of the time per token against load."""

from __future__ import annotations

from pathlib import Path

from experiments.render.figure import MARKERS, OKABE_ITO
from experiments.reproductions.ares.results import Results
from experiments.reproductions.ares.setting import FAMILIES
from orsched.atomic import replacing


def write_figure(results: Results, path: Path) -> None:
    """Draw a panel per sweep as PNG: a line per family, 95% intervals, the objective dotted."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.2 * ((len(results.sweeps) + 1) // 2)), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(-(-len(results.sweeps) // 2), 2, squeeze=False).ravel()
    for panel in panels[len(results.sweeps) :]:
        panel.set_axis_off()
    for axes, sweep in zip(panels, results.sweeps, strict=False):
        for index, family in enumerate(FAMILIES):
            found = [results.estimate(sweep, load, family, "tpot_p99_s") for load in sweep.loads]
            axes.errorbar(
                sweep.loads,
                [1000 * one.mean for one in found],
                yerr=[1000 * (one.half_width or 0.0) for one in found],
                color=OKABE_ITO[index],
                marker=MARKERS[index],
                capsize=3,
                linewidth=1.3,
                label=family,
            )
        axes.axhline(1000 * sweep.slo.tpot_s, color="0.4", linestyle=":")
        axes.set_yscale("log")
        axes.set_title(f"{sweep.name}: {sweep.title}", fontsize="small")
        axes.set_xlabel("load")
        axes.set_ylabel("P99 TPOT (ms)")
        axes.grid(alpha=0.3, which="both")
    panels[0].legend(frameon=False, fontsize="small")
    with replacing(path) as part:
        figure.savefig(part, format="png", metadata={"Software": None})
