"""What the command needs of a reproduction: cells to compute, and a report of what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from experiments.reproductions.store import CellStore
from orsched.errors import InputError

Cells = Mapping[str, Mapping[str, Any]]
"""Finished cells by `CellTask.identity`."""


class CellTask(Protocol):
    """One unit of work."""

    @property
    def identity(self) -> str:
        """Everything that decides the cell's numbers, but for the code."""
        ...

    def compute(self) -> dict[str, Any]:
        """Compute the cell, as a JSON document."""
        ...


class Report(Protocol):
    """What finished cells say."""

    def write_figures(self, folder: Path, stem: str) -> dict[str, str]:
        """Write the figures into `folder`, their names beginning with `stem`; returns the file names by sweep."""
        ...

    def page(self, figures: Mapping[str, str]) -> str:
        """Say all of it as Markdown, with ``## Outcome`` and, two lines below, a line that counts the verdicts."""
        ...

    def document(self) -> dict[str, Any]:
        """Say all of it as plain data."""
        ...


class Plan(Protocol):
    """A reproduction, full or quick, with a seed."""

    @property
    def tasks(self) -> Sequence[CellTask]:
        """Every cell."""
        ...

    def report(self, found: Cells) -> Report:
        """Put finished cells together."""
        ...


class Reproducible(Protocol):
    """A paper's experiments that can be run again."""

    @property
    def name(self) -> str:
        """As on the command line; also the name of the page."""
        ...

    def plan(self, quick: bool, seed: int) -> Plan:
        """What to run, few and short paths if `quick`; raises InputError for a negative seed."""
        ...


def require_seed(seed: int) -> None:
    """Refuse a negative seed; raises InputError."""
    if seed < 0:
        raise InputError(f"seed = {seed!r}: must be a whole number >= 0")


def compute_cells(
    tasks: Sequence[CellTask],
    store: CellStore,
    *,
    workers: int | None = None,
    on_cell_done: Callable[[], None] = lambda: None,
) -> Cells:
    """Compute every cell that the store does not have.

    Parameters
    ----------
    tasks : sequence of CellTask
        What to compute.
    store : CellStore
        Finished cells go there at once. The result does not depend on what it had.
    workers : int, optional
        Processes; None: the usable cores.
    on_cell_done : callable
        Called once per cell, for progress.
    """
    found: dict[str, Mapping[str, Any]] = {}
    missing = []
    for task in tasks:
        cell = store.get(task.identity)
        if cell is None:
            missing.append(task)
        else:
            found[task.identity] = cell
            on_cell_done()
    for task, cell in _computed(missing, workers):
        store.put(task.identity, cell)
        found[task.identity] = cell
        on_cell_done()
    return found


def _computed(tasks: list[CellTask], workers: int | None) -> Iterator[tuple[CellTask, dict[str, Any]]]:
    from joblib import Parallel, cpu_count, delayed

    processes = min(workers or int(cpu_count()), len(tasks))
    if processes <= 1:
        yield from ((task, task.compute()) for task in tasks)
        return
    parallel = Parallel(n_jobs=processes, return_as="generator_unordered", batch_size=1)
    yield from parallel(delayed(_with_cell)(task) for task in tasks)


def _with_cell(task: CellTask) -> tuple[CellTask, dict[str, Any]]:
    return task, task.compute()
