"""Measured against modelled iteration times, as a figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from experiments.calibration.errors import Floats
from orsched.atomic import replacing
from orsched.errors import InputError

SUFFIXES = (".png", ".svg", ".pdf")
_COLOURS = {"decode": "tab:blue", "prefill": "tab:orange", "chunked": "tab:green", "mixed": "tab:red"}


def write_residual_plot(path: Path, kept: pd.DataFrame, predicted: Floats, title: str) -> None:
    """Draw measured against model and the relative residual, by regime.

    Parameters
    ----------
    path : Path
        A .png, .svg or .pdf file; its folder must exist.
    kept : DataFrame
        Timed iterations.
    predicted : array, shape (n,)
        The model's times, seconds.
    title : str
        Above the figure.

    Raises
    ------
    InputError
        For another kind of file.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"--plot {path.name}: a figure is a file ending in {', '.join(SUFFIXES)}")
    from matplotlib.figure import Figure

    measured = kept["time_s"].to_numpy(np.float64)
    regime = kept["regime"].astype(str).to_numpy()
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    times, residuals = figure.subplots(1, 2)
    for name, colour in _COLOURS.items():
        rows = regime == name
        if rows.any():
            times.plot(1e3 * measured[rows], 1e3 * predicted[rows], ".", color=colour, label=name, ms=3, alpha=0.5)
            error = 100 * (predicted[rows] / measured[rows] - 1)
            residuals.plot(1e3 * measured[rows], error, ".", color=colour, label=name, ms=3, alpha=0.5)
    ends = [1e3 * measured.min(), 1e3 * measured.max()]
    times.plot(ends, ends, color="black", lw=0.8)
    times.set(xscale="log", yscale="log", xlabel="measured (ms)", ylabel="model (ms)")
    residuals.axhline(0, color="black", lw=0.8)
    residuals.set(xscale="log", xlabel="measured (ms)", ylabel="model - measured (%)")
    times.legend(frameon=False, markerscale=3)
    figure.suptitle(title)
    with replacing(path) as part:
        figure.savefig(
            part, format=path.suffix[1:], dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None
        )
