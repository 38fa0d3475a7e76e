"""Mean latency against arrival rate, ours and published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.render.figure import MARKERS, OKABE_ITO
from experiments.reproductions.cell import Cell
from experiments.reproductions.published import PublishedItem, PublishedMean
from experiments.reproductions.study import Study
from experiments.reproductions.sweep import Sweep
from orsched.atomic import replacing

FEWEST_RATES = 3


def drawn(study: Study) -> tuple[Sweep, ...]:
    """The sweeps that have a figure: those with several rates at one number of requests."""
    return tuple(sweep for sweep in study.sweeps if len(_requests_of_most(sweep)[1]) >= FEWEST_RATES)


def write_sweep_figure(study: Study, sweep: Sweep, published: Sequence[PublishedItem], path: Path) -> None:
    """Draw a sweep as PNG.

    A line per policy with 95% intervals, hollow markers where it does not keep up, crosses for what was published.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    requests, rates = _requests_of_most(sweep)
    cells = [cell for cell in study.cells(sweep) if cell.point.requests == requests and cell.rows]
    figure = Figure(figsize=(7.0, 4.4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for index, family in enumerate(sweep.families):
        own = [cell for cell in cells if cell.family == family.name]
        if not own:
            continue
        colour, marker = OKABE_ITO[index % len(OKABE_ITO)], MARKERS[index % len(MARKERS)]
        means = [cell.estimate() for cell in own]
        axes.errorbar(
            [cell.point.rate_per_s for cell in own],
            [mean.mean for mean in means],
            yerr=[mean.half_width or 0.0 for mean in means],
            color=colour,
            marker=marker,
            capsize=3,
            linewidth=1.3,
            label=family.name,
        )
        _hollow(axes, [cell for cell in own if not cell.stable], marker, colour)
        theirs = _published_means(sweep, family.name, published, rates)
        if theirs:
            axes.plot(*zip(*theirs, strict=True), linestyle="", marker="x", markersize=9, mew=2, color=colour)
    axes.plot([], [], linestyle="", marker="x", markersize=9, mew=2, color="0.4", label="published")
    axes.set_yscale("log")
    axes.set_xlabel("arrival rate (requests/s)")
    axes.set_ylabel("mean latency (s), 95% intervals;\nhollow: does not keep up")
    axes.set_title(f"{sweep.title}, {requests:,} requests, best cap of each policy", fontsize="medium")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False, fontsize="small")
    with replacing(path) as part:
        figure.savefig(part, format="png", metadata={"Software": None})


def _hollow(axes: object, cells: Sequence[Cell], marker: str, colour: str) -> None:
    if cells:
        rates = [cell.point.rate_per_s for cell in cells]
        means = [cell.estimate().mean for cell in cells]
        axes.plot(  # type: ignore[attr-defined]
            rates, means, linestyle="", marker=marker, color=colour, markerfacecolor="white", zorder=5
        )


def _requests_of_most(sweep: Sweep) -> tuple[int, tuple[float, ...]]:
    """The number of requests that most points have, and their rates."""
    by_requests: dict[int, list[float]] = {}
    for point in sweep.points:
        by_requests.setdefault(point.requests, []).append(point.rate_per_s)
    requests, rates = max(by_requests.items(), key=lambda item: len(item[1]))
    return requests, tuple(rates)


def _published_means(
    sweep: Sweep, family: str, published: Sequence[PublishedItem], rates: Sequence[float]
) -> list[tuple[float, float]]:
    return [
        (item.rate_per_s, item.value)
        for item in published
        if isinstance(item, PublishedMean)
        and (item.sweep, item.family) == (sweep.name, family)
        and item.rate_per_s in rates
        and item.requests is None
        and not item.caveat
    ]
