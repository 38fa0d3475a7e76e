"""Curves over time as a figure: a row per run, measured and simulated in one panel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.render.figure import OKABE_ITO
from experiments.validation.report import CURVES
from experiments.validation.vllm_logs import Validation
from orsched.atomic import replacing

ENDINGS = (".png", ".svg")
MEASURED, SIMULATED = OKABE_ITO[6], OKABE_ITO[1]


def write_figure(validations: Sequence[Validation], path: Path) -> None:
    """Draw requests in the system, running and waiting, and KV memory in use against time, as PNG or SVG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 2.4 * len(validations)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(validations), len(CURVES), squeeze=False)
    for row, validation in zip(panels, validations, strict=True):
        found = validation.curves
        for axes, (quantity, name) in zip(row, CURVES.items(), strict=True):
            if quantity in found.measured:
                axes.plot(found.t_s, found.measured[quantity], color=MEASURED, linewidth=1.8, label="measured")
            axes.plot(found.t_s, found.simulated[quantity], color=SIMULATED, linewidth=1.1, label="simulated")
            axes.set_ylabel(name)
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
        row[0].set_title(validation.name, fontsize="medium", loc="left")
        row[-1].legend(frameon=False, fontsize="small")
    for axes in panels[-1]:
        axes.set_xlabel("time since the first request (s)")
    metadata = {"Date": None} if path.suffix == ".svg" else None
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, mpl.rc_context({"svg.hashsalt": "orsched"}):
        figure.savefig(part, format=path.suffix[1:], metadata=metadata)
