"""An evaluation in the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from experiments.comparison.evaluation import Evaluation
from orsched.gap_table import Gap, percent
from orsched.metrics import METRICS


def to_rich(found: Evaluation) -> Group:
    """Build one line per metric with its gap and bound; above it what was run, below it what to know."""
    row, experiment = found.row, found.experiment
    title = (
        f"{row.policy} (information: {row.information}) on {found.workload} with {experiment.fleet.name}, "
        f"load {row.load:g}: {experiment.replications} replications of {experiment.requests:,} requests, "
        f"seed {experiment.seed}, warm-up {experiment.warm_up}"
    )
    verdict = Text(f"stable: {row.stability}", style="green" if row.stable else "bold yellow")
    lines: list[RenderableType] = [Text(title), Text(), verdict]
    if row.reason:
        lines.append(Text(f"  {row.reason}"))
    lines += [Text(), _grid(found), Text(f"bounds: {_kinds(list(row.gaps.values()))}")]
    lines += [Text(f"{key}: {value}") for key, value in row.settings.items()]
    lines += [Text(f"note: {notice}") for notice in found.notices]
    speed = experiment.requests * experiment.replications / found.wall_s
    lines.append(Text(f"{found.wall_s:.2f} s, {speed:,.0f} requests per second"))
    return Group(*lines)


def _grid(found: Evaluation) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("metric", "mean ± 95%", "gap (%)", "best bound"):
        left = header in {"metric", "best bound"}
        grid.add_column(header, justify="left" if left else "right", no_wrap=header != "best bound")
    for name, value in found.row.metrics.items():
        gap = found.row.gaps.get(name)
        texts = ("", "")
        if gap is not None:
            texts = (str(percent(gap.estimate)), f"{gap.bound} {gap.bound_value.mean:.4g}")
        unit = METRICS[name].unit
        grid.add_row(*map(Text, (name, f"{value} {'' if unit == '1' else unit}".rstrip(), *texts)))
    return grid


def _kinds(gaps: list[Gap]) -> str:
    """Say how far the bounds may be believed, once when they agree."""
    kinds: dict[str, list[str]] = {}
    for gap in gaps:
        kind = f"{gap.validity}, {'certified' if gap.certified else 'not certified'}"
        kinds.setdefault(kind, []).append(gap.metric)
    if len(kinds) == 1:
        return f"all {next(iter(kinds))}"
    return "; ".join(f"{kind}: {', '.join(metrics)}" for kind, metrics in kinds.items()) or "none"
