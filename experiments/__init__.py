"""The command line, experiment specifications, the runner, gap tables and reports.

Names are imported on first use, so that the command line starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.comparison.experiment import Experiment as Experiment
    from experiments.comparison.gaps import gap_table as gap_table
    from experiments.comparison.runner import run_experiment as run_experiment
    from experiments.findings import Findings as Findings
    from experiments.findings import open_results as open_results
    from experiments.findings import run as run
    from experiments.render.files import write as write

_HOMES = {
    "Experiment": "experiments.comparison.experiment",
    "Findings": "experiments.findings",
    "gap_table": "experiments.comparison.gaps",
    "open_results": "experiments.findings",
    "run": "experiments.findings",
    "run_experiment": "experiments.comparison.runner",
    "write": "experiments.render.files",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'experiments' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
