"""The units of work of an experiment: one policy on one sample path, and the bounds of one sample path.

A task is a frozen value of plain parts: it can be pickled, and computed wherever this program is installed. Tasks are
imported on first use, because they need the solvers and the engine, and ids need neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from experiments.tasks.code_version import code_version
from experiments.tasks.identity import task_id

if TYPE_CHECKING:
    from experiments.tasks.bound_task import BoundTask as BoundTask
    from experiments.tasks.path_choice import PathChoice as PathChoice
    from experiments.tasks.serve_task import ServeTask as ServeTask

_HOMES = {
    "BoundTask": "experiments.tasks.bound_task",
    "PathChoice": "experiments.tasks.path_choice",
    "ServeTask": "experiments.tasks.serve_task",
}

__all__ = ["BoundTask", "PathChoice", "ServeTask", "code_version", "task_id"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'experiments.tasks' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
