"""What every task's row has in common."""

from __future__ import annotations

from typing import Any

from experiments.tasks.code_version import code_version
from experiments.tasks.path_choice import DrawnPath, PathChoice


def row_of(task: str, kind: str, path: PathChoice, drawn: DrawnPath, wall_s: float) -> dict[str, Any]:
    """The columns that say what was computed; those of policies and of bounds are empty."""
    return {
        "task": task,
        "kind": kind,
        "code": code_version(),
        "workload": path.workload.shown,
        "fleet": drawn.fleet.name,
        "policy": None,
        "information": None,
        "predictor": None,
        "router": None,
        "axis": path.axis,
        "point": path.point,
        "load": drawn.load,
        "replication": path.replication,
        "seed": path.seed,
        "requests": path.requests,
        "status": "done",
        "reason": "",
        "stable": None,
        "growth_per_s": None,
        "settings": "{}",
        "metrics": {},
        "shown": {},
        "comparable": [],
        "clock_s": None,
        "subject": drawn.subject,
        "quantiles": {},
        "bounds": [],
        "notices": list(drawn.notices),
        "wall_s": wall_s,
    }
