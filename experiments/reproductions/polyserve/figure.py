"""Goodput of every policy, as a share of what is possible."""

from __future__ import annotations

from pathlib import Path

from experiments.render.figure import OKABE_ITO
from experiments.reproductions.polyserve.plan_of_tiers import planned_per_s
from experiments.reproductions.polyserve.results import Results
from experiments.reproductions.polyserve.tasks import MEASURES
from orsched.atomic import replacing
from orsched.gap_table import percent
from orsched.statistics.estimate import estimate


def write_figure(results: Results, path: Path) -> None:
    """Draw a panel per sweep as PNG: a row per policy, a dot per measure with its 95% interval; the plan dotted."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [len(sweep.families) for sweep in results.sweeps]
    figure = Figure(figsize=(8.0, 0.28 * sum(rows) + 0.7 * len(rows)), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=rows).ravel()
    for axes, sweep in zip(panels, results.sweeps, strict=True):
        for index, (scoring, level) in enumerate(MEASURES):
            found = [percent(results.of_optimal(sweep, family, scoring, level)) for family in sweep.families]
            axes.errorbar(
                [one.mean for one in found],
                [row + 0.2 * (index - 1) for row in range(len(found))],
                xerr=[one.half_width or 0.0 for one in found],
                color=OKABE_ITO[index],
                marker="os^"[index],
                markersize=4,
                linestyle="",
                capsize=2,
                label=f"{level:.0%} within {'deadlines' if scoring == 'deadlines' else 'TTFT and mean TPOT'}",
            )
        limit = estimate(results.bounds(sweep)["all_good"]["deadlines"]).mean
        axes.axvline(100 * planned_per_s(sweep) / sweep.capacity_per_s / limit, color="0.4", linestyle=":")
        axes.set_yticks(range(len(sweep.families)), sweep.families, fontsize="small")
        axes.invert_yaxis()
        axes.set_title(f"{sweep.name}: {sweep.title}", fontsize="small")
        axes.grid(alpha=0.3, axis="x")
    panels[0].legend(frameon=False, fontsize="small")
    panels[-1].set_xlabel("goodput (% of the largest rate at which every request can be good); dotted: fluid plan")
    with replacing(path) as part:
        figure.savefig(part, format="png", metadata={"Software": None})
