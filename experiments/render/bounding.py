"""All bounds at one load in the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from experiments.comparison.bounding import Bounding, tightest
from orsched.gap_table import GAP_METRIC, GapRow, percent
from orsched.metrics import METRICS


def to_rich(found: Bounding) -> Group:
    """Build one line per bound, the tightest of each metric marked; below, the policies that were simulated."""
    experiment = found.experiment
    title = (
        f"{found.workload} on {experiment.fleet.name}, load {found.load:g}: {experiment.replications} replications "
        f"of {experiment.requests:,} requests, seed {experiment.seed}"
        + ("" if experiment.predictor is None else f", lengths predicted by {experiment.predictor}")
    )
    lines: list[RenderableType] = [Text(title), Text(), _bounds(found), Text("*: the tightest valid bound")]
    if found.rows:
        lines += [Text(), _policies(found), Text(_verdict(found))]
        lines += [Text(f"note: {row.policy} cannot run: {row.reason}") for row in found.rows if not row.metrics]
    lines += [Text(f"note: {notice}") for notice in found.notices]
    return Group(*lines, Text(f"{found.wall_s:.2f} s"))


def _grid(*headers: str) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        grid.add_column(header, justify="right" if header in _NUMBERS else "left", no_wrap=True)
    return grid


_NUMBERS = {"bound ± 95%", "mean latency (s) ± 95%", "gap (%)"}


def _bounds(found: Bounding) -> Table:
    grid = _grid("metric", "bound ± 95%", "unit", "kind", "validity", "certified", "name")
    summaries = found.summaries()
    marked = tightest(summaries)
    for summary in summaries:
        bound, best = summary.bound, summary in marked
        certified = "yes" if summary.certified else "no"
        unit = METRICS[bound.metric].unit if bound.metric in METRICS else ""
        name = f"{bound.name} *" if best else bound.name
        cells = (bound.metric, str(summary.value), unit, bound.sense, bound.validity, certified, name)
        grid.add_row(*map(Text, cells), style="bold" if best else None)
    return grid


def _policies(found: Bounding) -> Table:
    grid = _grid("policy", "information", "mean latency (s) ± 95%", "gap (%)", "stable")
    for row in found.ranked:
        grid.add_row(*map(Text, (row.policy, row.information, str(row.metrics[GAP_METRIC]), _gap(row), row.stability)))
    return grid


def _gap(row: GapRow) -> str:
    gap = row.gaps.get(GAP_METRIC)
    return "" if gap is None else str(percent(gap.estimate))


def _verdict(found: Bounding) -> str:
    best = found.best_row
    if best is None:
        return "no policy could run"
    latency, gap = best.metrics[GAP_METRIC], best.gaps.get(GAP_METRIC)
    if gap is None:
        return f"best: {best.policy}, mean latency {latency} s; no valid bound to compare it with"
    return (
        f"best: {best.policy}, mean latency {latency} s, {percent(gap.estimate)}% above {gap.label}, "
        f"{gap.bound_value} s"
    )
