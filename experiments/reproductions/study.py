"""All cells of a reproduction, run or read back, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from experiments.reproductions.cell import Cell
from experiments.reproductions.plan import Cells, compute_cells, require_seed
from experiments.reproductions.store import CellStore
from experiments.reproductions.sweep import Point, Sweep
from experiments.reproductions.tasks import BOUNDS, Task
from orsched.errors import InputError


@dataclass(frozen=True)
class Study:
    """The results of a reproduction.

    Parameters
    ----------
    sweeps : tuple of Sweep
        What was run.
    seed : int
        Of every random stream.
    found : mapping of str to mapping
        Cells by `Task.identity`.
    """

    sweeps: tuple[Sweep, ...]
    seed: int
    found: Cells

    def sweep(self, name: str) -> Sweep:
        """The sweep of that name; raises InputError if it was not run."""
        for sweep in self.sweeps:
            if sweep.name == name:
                return sweep
        raise InputError(f"no sweep {name!r}: {', '.join(sweep.name for sweep in self.sweeps)} were run")

    def cells(self, sweep: Sweep) -> list[Cell]:
        """Every family at every point of a sweep, by point."""
        return [self._cell(sweep, point, family.name) for point in sweep.points for family in sweep.families]

    def cell(self, sweep: str, rate_per_s: float, family: str, requests: int | None = None) -> Cell | None:
        """One cell; None when it was not run. `requests` tells points of one rate apart."""
        for candidate in self.sweeps:
            if candidate.name == sweep and candidate.family(family) is not None:
                for point in candidate.points:
                    if point.rate_per_s == rate_per_s and requests in (None, point.requests):
                        return self._cell(candidate, point, family)
        return None

    def _cell(self, sweep: Sweep, point: Point, family: str) -> Cell:
        bounds = self.found[Task(sweep, point, BOUNDS, self.seed).identity]
        found = self.found[Task(sweep, point, family, self.seed).identity]
        values = tuple(bound["value"] for bound in bounds["bounds"])
        return Cell(sweep.name, family, point, bounds["load"], found, values)


def tasks_of(sweeps: Iterable[Sweep], seed: int) -> list[Task]:
    """Every cell of the sweeps."""
    return [
        Task(sweep, point, family, seed)
        for sweep in sweeps
        for point in sweep.points
        for family in (BOUNDS, *(family.name for family in sweep.families))
    ]


def run_study(
    sweeps: tuple[Sweep, ...],
    seed: int,
    store: CellStore,
    *,
    workers: int | None = None,
    on_cell_done: Callable[[], None] = lambda: None,
) -> Study:
    """Compute every cell that the store does not have.

    Parameters
    ----------
    sweeps : tuple of Sweep
        What to run.
    seed : int
        Of every random stream, >= 0.
    store : CellStore
        Finished cells go there at once. The result does not depend on what it had.
    workers : int, optional
        Processes; None: the usable cores.
    on_cell_done : callable
        Called once per cell, for progress.
    """
    require_seed(seed)
    found = compute_cells(tasks_of(sweeps, seed), store, workers=workers, on_cell_done=on_cell_done)
    return Study(sweeps, seed, found)
