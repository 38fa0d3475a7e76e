"""A reproduction of sweeps, as the command runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.reproductions.document import document
from experiments.reproductions.figure import drawn, write_sweep_figure
from experiments.reproductions.page import page
from experiments.reproductions.plan import Cells, require_seed
from experiments.reproductions.reproduction import Reproduction
from experiments.reproductions.study import Study, tasks_of
from experiments.reproductions.sweep import Sweep
from experiments.reproductions.tasks import Task


@dataclass(frozen=True)
class SweepPlan:
    """Sweeps of a reproduction and a seed; raises InputError for a negative seed."""

    reproduction: Reproduction
    sweeps: tuple[Sweep, ...]
    quick: bool
    seed: int

    def __post_init__(self) -> None:
        require_seed(self.seed)

    @property
    def tasks(self) -> list[Task]:
        """Every cell of the sweeps."""
        return tasks_of(self.sweeps, self.seed)

    def report(self, found: Cells) -> SweepReport:
        """Put finished cells together."""
        return SweepReport(self.reproduction, Study(self.sweeps, self.seed, found), self.quick)


@dataclass(frozen=True)
class SweepReport:
    """What the cells of a plan of sweeps say."""

    reproduction: Reproduction
    study: Study
    quick: bool

    def write_figures(self, folder: Path, stem: str) -> dict[str, str]:
        """Draw the sweeps with several rates."""
        names = {sweep.name: f"{stem}-{sweep.name}.png" for sweep in drawn(self.study)}
        for sweep in drawn(self.study):
            write_sweep_figure(self.study, sweep, self.reproduction.published(), folder / names[sweep.name])
        return names

    def page(self, figures: Mapping[str, str]) -> str:
        """The page."""
        return page(self.reproduction, self.study, self.quick, dict(figures))

    def document(self) -> dict[str, Any]:
        """The page as plain data."""
        return document(self.reproduction, self.study, self.quick)
