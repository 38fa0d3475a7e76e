"""A hindsight study as text."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from experiments.hindsight.study import CLOSE, Study


def to_rich(found: Study) -> Group:
    """Distribution of MC-SF over incumbent and bound beside the published one, gaps and times."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("", "mean", "best", "median", "worst"):
        grid.add_column(column, justify="left" if not column else "right")
    law = found.law
    grid.add_row("MC-SF / optimum, published", f"{law.mean_ratio:.3f}", "1.000", "", f"{law.worst_ratio:.3f}")
    summary = found.to_json()
    labels = {
        "mc_sf_over_incumbent": "MC-SF / best schedule found (at most the true ratio)",
        "mc_sf_over_bound": "MC-SF / proved bound (at least the true ratio)",
        "mc_sf_over_optimum_where_closed": "MC-SF / best schedule, gap proved <= 1%",
    }
    for key, label in labels.items():
        values = summary[key]
        if values is not None:
            grid.add_row(label, *(f"{values[name]:.3f}" for name in ("mean", "min", "median", "max")))
    for key, label, form in (("gap", "proved gap", ".1%"), ("seconds", "seconds", ".1f"), ("cpu_s", "CPU s", ".1f")):
        grid.add_row(label, *(format(summary[key][name], form) for name in ("mean", "min", "median", "max")))
    n = len(found.rows)
    lines = (
        f"law {law.name}, {n} instances, seed {found.seed}, method {found.method}, {found.time_limit_s:g} s each",
        f"gap <= {CLOSE:.0%} proved on {len(found.closed)} of {n}; optimum proved on {summary['proved_optimal']}",
        f"a schedule better than MC-SF's found on {found.beaten} of {n}",
    )
    return Group(Text(lines[0]), grid, *(Text(line) for line in lines[1:]))
