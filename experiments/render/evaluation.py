"""An evaluation in the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from experiments.evaluation import Evaluation
from orsched.gap_table import percent
from orsched.metrics import METRICS


def to_rich(found: Evaluation) -> Group:
    """One line per metric with its gap and bound; above it what was run, below it what to know."""
    row, experiment = found.row, found.experiment
    title = (
        f"{row.policy} (information: {row.information}) on {found.workload} with {experiment.fleet.name}, "
        f"load {row.load:g}: {experiment.replications} replications of {experiment.requests:,} requests, "
        f"seed {experiment.seed}, warm-up {experiment.warm_up}"
    )
    grid = Table("metric", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("mean ± 95%", "unit", "gap (%)"):
        grid.add_column(header, justify="left" if header == "unit" else "right")
    grid.add_column("bound")
    for name, value in row.metrics.items():
        gap = row.gaps.get(name)
        texts = ("", "")
        if gap is not None:
            kind = f"{gap.validity}, certified" if gap.certified else gap.validity
            texts = (str(percent(gap.estimate)), f"{gap.bound} {gap.bound_value.mean:.4g} ({kind})")
        unit = METRICS[name].unit
        grid.add_row(*map(Text, (name, str(value), "" if unit == "1" else unit, *texts)))
    verdict = Text(f"stable: {row.stability}", style="green" if row.stable else "bold yellow")
    lines: list[RenderableType] = [Text(title), Text(), verdict]
    if row.reason:
        lines.append(Text(f"  {row.reason}"))
    lines += [Text(), grid]
    lines += [Text(f"{key}: {value}") for key, value in row.settings.items()]
    lines += [Text(f"note: {notice}") for notice in found.notices]
    speed = experiment.requests * experiment.replications / found.wall_s
    lines.append(Text(f"{found.wall_s:.2f} s, {speed:,.0f} requests per second"))
    return Group(*lines)
