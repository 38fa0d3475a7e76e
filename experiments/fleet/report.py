"""A fleet experiment in the terminal, as a JSON document, and as files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from experiments.fleet.fault_report import fault_document
from experiments.fleet.searching import Bracket
from experiments.fleet.summary import Estimates, FleetRow, FleetSummary
from experiments.fleet.tables import PlainTable, notes, notices, tables, tidy_frame
from experiments.fleet.timeline import write_timeline
from experiments.render.latex import booktabs
from experiments.render.markdown import escaped, pipe_table
from experiments.render.plain import estimate_document, plain
from orsched.atomic import write_text
from orsched.fleet_log import FleetLog
from orsched.link import Link
from orsched.statistics.estimate import Estimate

FILES = ("summary.json", "table.md", "table.csv", "table.tex", "timeline.svg", "timeline.png")
"""What `write_report` writes."""


def to_rich(summary: FleetSummary) -> Group:
    """Build the tables, and below them what to know."""
    lines: list[RenderableType] = [part for table in tables(summary) for part in (Text(table.title), _grid(table))]
    lines += [Text(note) for note in notes(summary)]
    return Group(*lines, Text(f"{summary.wall_s:.2f} s"))


def _grid(table: PlainTable) -> Table:
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for k, header in enumerate(table.headers):
        head = header if k < table.labels else header.replace(" (", "\n(")
        grid.add_column(head, justify="left" if k < table.labels else "right", overflow="fold")
    for row in table.rows:
        grid.add_row(*map(Text, row))
    return grid


def document(summary: FleetSummary) -> dict[str, Any]:
    """Everything as the one JSON object that ``--json`` prints."""
    experiment = summary.experiment
    return {
        "name": experiment.name,
        "description": experiment.description,
        "workload": experiment.paths.source.name,
        "rate_per_s": estimate_document(summary.rate_per_s),
        "requests": experiment.paths.requests,
        "replications": experiment.replications,
        "seed": experiment.paths.seed,
        "warm_up": experiment.warm_up,
        "scoring": experiment.scoring,
        "attainment_level": experiment.attainment,
        "groups": [
            {
                "hardware": group.hardware.name,
                "size": group.size,
                "role": str(group.role),
                "tier": group.tier,
                "off": group.off,
                "start_up_s": group.start_up_s,
                "link": _link(group.link),
            }
            for group in experiment.fleet.groups
        ],
        "tiers": [
            {"name": tier.name, "ttft_s": tier.slo and tier.slo.ttft_s, "tpot_s": tier.slo and tier.slo.tpot_s}
            for tier in experiment.tiers
        ],
        "bound": None
        if summary.bound is None
        else {
            "name": summary.bound_name,
            "certified": summary.bound_certified,
            "goodput_per_s": estimate_document(summary.bound),
            "sustained_per_s": _optional(summary.sustained_bound),
        },
        "policies": [_row(row) for row in summary.rows],
        "faults": {
            **fault_document(experiment.faults, experiment.schedule, experiment.fault_seed),
            "per_path": estimate_document(summary.faults),
        },
        "notices": notices(summary),
        "wall_s": summary.wall_s,
    }


def _row(row: FleetRow) -> dict[str, Any]:
    policy = row.contender.policy
    return {
        "policy": row.contender.label,
        "system": row.contender.system,
        "information": policy.information.label,
        "settings": plain(policy.settings),
        "metrics": _metrics(row.metrics),
        "tiers": {name: _metrics(metrics) for name, metrics in row.tiers.items()},
        "differences": _metrics(row.differences),
        "over_bound": _optional(row.over_bound),
        "sustained_over_bound": _optional(row.sustained_over_bound),
        "sustained_between": None if row.sustained is None else _bracket(row.sustained),
    }


def _bracket(value: Bracket) -> list[float | None]:
    return [value.low, value.high if math.isfinite(value.high) else None]


def _link(link: Link) -> dict[str, float | None]:
    fast = math.isinf(link.bytes_per_s)
    return {"bytes_per_s": None if fast else link.bytes_per_s, "latency_s": link.latency_s}


def _metrics(metrics: Estimates) -> dict[str, Any]:
    return {name: estimate_document(value) for name, value in metrics.items()}


def _optional(value: Estimate | None) -> dict[str, Any] | None:
    return None if value is None else estimate_document(value)


def markdown(summary: FleetSummary) -> str:
    """The tables as GitHub Markdown."""
    parts = []
    for table in tables(summary):
        parts += [f"**{escaped(table.title)}** (mean ± 95% half-width)", "", pipe_table(table.headers, table.rows), ""]
    return "\n".join([*parts, *(f"- {escaped(note)}" for note in notes(summary))]) + "\n"


def latex(summary: FleetSummary) -> str:
    """The tables as LaTeX with booktabs."""
    return "\n".join(
        booktabs(
            table.title, "l" * table.labels + "r" * (len(table.headers) - table.labels), table.headers, [table.rows]
        )
        for table in tables(summary)
    )


def write_report(summary: FleetSummary, logs: Mapping[str, FleetLog], folder: Path) -> list[Path]:
    """Write `FILES` into `folder`, which must exist; returns their paths.

    `logs` are those of the first path, by label, for the time line.
    """
    import json

    paths = [folder / name for name in FILES]
    write_text(paths[0], json.dumps(document(summary), indent=2, allow_nan=False, ensure_ascii=False) + "\n")
    write_text(paths[1], markdown(summary))
    write_text(paths[2], tidy_frame(summary).to_csv(index=False, lineterminator="\n"))
    write_text(paths[3], latex(summary))
    for path in paths[4:]:
        write_timeline(summary.experiment.name, logs, path)
    return paths
