"""A scaling study in the terminal, as a document, as a table file and as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.notebook import frames_html
from experiments.render.figure import MARKERS, OKABE_ITO
from orsched.atomic import replacing, write_text
from orsched.statistics.estimate import Estimate
from proofs_check.heavy_traffic import ALL, means, slope

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

ENDINGS = (".csv", ".parquet", ".png", ".svg")
SHOWN = {
    "throughput_gap": "throughput gap (token/s)",
    "latency_mean": "mean latency (s)",
    "ttft_mean": "mean TTFT (s)",
}
"""Metrics with a slope, and what they are called."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """A study and what it is about.

    Parameters
    ----------
    title : str
        What was studied, in one line.
    frame : pandas.DataFrame
        Of `proofs_check.heavy_traffic.scaling_study`.
    about : mapping
        Policy, system, replications, seed and settings of the policy, as plain values.
    """

    title: str
    frame: pd.DataFrame
    about: Mapping[str, Any]

    def slopes(self) -> dict[str, Estimate]:
        """Exponent of each metric with one."""
        return {metric: slope(self.frame, metric) for metric in SHOWN}

    def to_json(self) -> dict[str, Any]:
        """What was studied; means by scale, metric by metric, and slopes; for all types together and for each."""
        kinds = self.frame["type"].unique().tolist()
        metrics = self.frame["metric"].unique().tolist()
        horizons = dict(zip(self.frame["scale"].tolist(), self.frame["horizon_s"].tolist(), strict=True))
        return {
            **self.about,
            "scales": [{"scale": scale, "horizon_s": horizon} for scale, horizon in sorted(horizons.items())],
            "types": {
                kind: {
                    "means": {
                        metric: [_numbers(found) for found in means(self.frame, metric, kind).values()]
                        for metric in metrics
                    },
                    "slopes": {metric: _numbers(slope(self.frame, metric, kind)) for metric in SHOWN},
                }
                for kind in kinds
            },
        }

    def means_frame(self) -> pd.DataFrame:
        """One row per type, metric and scale: type, metric, scale, horizon_s, mean, half_width, n.

        `proofs_check.heavy_traffic.served.measure` says what the metrics are and in which unit; half_width is that of
        the 95% interval over n replications, missing for one.
        """
        import pandas as pd

        document = self.to_json()
        rows = [
            {"type": kind, "metric": metric, **place, **found}
            for kind, numbers in document["types"].items()
            for metric, values in numbers["means"].items()
            for place, found in zip(document["scales"], values, strict=True)
        ]
        return pd.DataFrame(rows).astype({"half_width": "float64"})

    def slopes_frame(self) -> pd.DataFrame:
        """One row per type and metric with an exponent: type, metric, slope, half_width (95%, jackknife), n."""
        import pandas as pd

        rows = [
            {"type": kind, "metric": metric, "slope": found["mean"], **found}
            for kind, numbers in self.to_json()["types"].items()
            for metric, found in numbers["slopes"].items()
        ]
        columns = ["type", "metric", "slope", "half_width", "n"]
        return pd.DataFrame(rows, columns=columns).astype({"half_width": "float64"})

    def _repr_html_(self) -> str:
        return frames_html({self.title: self.means_frame(), "slopes": self.slopes_frame()})


def to_rich(scaling: Scaling) -> Group:
    """Build one line per scale, and the slopes below."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("scale", "horizon (s)", *SHOWN.values(), "evictions"):
        grid.add_column(header, justify="right")
    frame = scaling.frame
    columns = {metric: means(frame, metric) for metric in (*SHOWN, "evictions")}
    horizons = dict(zip(frame["scale"].tolist(), frame["horizon_s"].tolist(), strict=True))
    for scale, horizon in sorted(horizons.items()):
        cells = [str(found[scale]) for found in columns.values()]
        grid.add_row(f"{scale:g}", f"{horizon:g}", *cells)
    grid.add_row("slope", "", *(str(found) for found in scaling.slopes().values()), "")
    notes = [Text("± is the half-width of a 95% interval; slopes of logarithms, jackknife over replications")]
    touched = max(found.mean for found in means(frame, "after_last_arrival").values())
    if touched > 0:
        notes.append(
            Text(
                f"up to {touched:.1%} of the prompts measured completed after the last arrival, where a run winds down"
            )
        )
    return Group(Text(scaling.title), Text(), grid, *notes)


def write_scaling(scaling: Scaling, path: Path) -> None:
    """Write the tidy table (`.csv`, `.parquet`) or draw the study (`.png`, `.svg`)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        write_text(path, scaling.frame.to_csv(index=False, lineterminator="\n"))
    elif path.suffix == ".parquet":
        with replacing(path) as part:
            scaling.frame.to_parquet(part, index=False)
    else:
        _draw(scaling, path)


def _draw(scaling: Scaling, path: Path) -> None:
    """Each metric against the scale, both logarithmic, with a line of the slope."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    slopes = scaling.slopes()
    for index, (axes, (metric, name)) in enumerate(zip(figure.subplots(1, len(SHOWN)), SHOWN.items(), strict=True)):
        found = means(scaling.frame, metric, ALL)
        scales = list(found)
        centres = [point.mean for point in found.values()]
        widths = [min(point.half_width or 0.0, 0.99 * point.mean) for point in found.values()]
        axes.errorbar(
            scales, centres, yerr=widths, color=OKABE_ITO[index], marker=MARKERS[index], linestyle="", capsize=3
        )
        middle = len(scales) // 2
        line = [centres[middle] * (scale / scales[middle]) ** slopes[metric].mean for scale in scales]
        axes.plot(scales, line, color=OKABE_ITO[index], linewidth=1.2, label=f"slope {slopes[metric]}")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("scale ζ (horizon ζT)")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    figure.suptitle(scaling.title, fontsize="medium")
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with replacing(path) as part, mpl.rc_context({"svg.hashsalt": "orsched"}):
        figure.savefig(part, format=path.suffix[1:], metadata=metadata)


def _numbers(found: Estimate) -> dict[str, float | int | None]:
    return {"mean": found.mean, "half_width": found.half_width, "n": found.n}
