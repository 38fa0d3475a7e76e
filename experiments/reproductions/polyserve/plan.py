"""The PolyServe experiments, as the command runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from experiments.render.plain import estimate_document, plain
from experiments.reproductions.judgements import documents
from experiments.reproductions.plan import Cells, CellTask, require_seed
from experiments.reproductions.polyserve.figure import write_figure
from experiments.reproductions.polyserve.hours import PATTERNS, SCALED, STATIC, HoursTask
from experiments.reproductions.polyserve.numbers import judged
from experiments.reproductions.polyserve.page import page
from experiments.reproductions.polyserve.plan_of_tiers import planned_per_s
from experiments.reproductions.polyserve.results import Results, families_of
from experiments.reproductions.polyserve.setting import Sweep, sweeps
from experiments.reproductions.polyserve.tasks import BoundTask


@dataclass(frozen=True, slots=True)
class PolyServe:
    """The reproduction, found by its name."""

    @property
    def name(self) -> str:
        """As on the command line."""
        return "polyserve"

    def plan(self, quick: bool, seed: int) -> PolyServePlan:
        """What to run; raises InputError for a negative seed."""
        return PolyServePlan(sweeps(quick), quick, seed)


@dataclass(frozen=True)
class PolyServePlan:
    """Sweeps and a seed."""

    sweeps: tuple[Sweep, ...]
    quick: bool
    seed: int

    def __post_init__(self) -> None:
        require_seed(self.seed)

    @property
    def hours(self) -> tuple[HoursTask, ...]:
        """Server-hours, on the first sweep; the quick version has those of the steady pattern without static fleets."""
        patterns, ways = ("steady",) if self.quick else tuple(PATTERNS), SCALED if self.quick else (*SCALED, *STATIC)
        return tuple(HoursTask(self.sweeps[0], pattern, way, self.seed) for pattern in patterns for way in ways)

    @property
    def tasks(self) -> list[CellTask]:
        """Every cell once, the slowest first."""
        empty = self.report({}).results
        slowest_first = [(sweep, family) for sweep in self.sweeps for family in reversed(families_of(sweep))]
        tasks: list[CellTask] = [empty.task(*pair) for pair in slowest_first]
        tasks += [*self.hours, *(BoundTask(sweep, self.seed) for sweep in self.sweeps)]
        return list({task.identity: task for task in tasks}.values())

    def report(self, found: Cells) -> PolyServeReport:
        """Put finished cells together."""
        return PolyServeReport(Results(self.sweeps, self.hours, self.seed, found), self.quick)


@dataclass(frozen=True)
class PolyServeReport:
    """What the cells say."""

    results: Results
    quick: bool

    def write_figures(self, folder: Path, stem: str) -> dict[str, str]:
        """One figure for all sweeps, under the name of the first."""
        name = f"{stem}.png"
        write_figure(self.results, folder / name)
        return {self.results.sweeps[0].name: name}

    def page(self, figures: Mapping[str, str]) -> str:
        """The page."""
        return page(self.results, self.quick, next(iter(figures.values())))

    def document(self) -> dict[str, Any]:
        """Everything on the page as plain data, with what was visited on each path."""
        results = self.results
        return {
            "name": "polyserve",
            "version": version("orsched"),
            "seed": results.seed,
            "quick": self.quick,
            "comparisons": documents(judged(results)),
            "sweeps": [_sweep(results, sweep) for sweep in results.sweeps],
            "server_hours": [
                {"pattern": task.pattern, "way": task.way, **plain(results.found[task.identity])}
                for task in results.hours
            ],
        }


def _sweep(results: Results, sweep: Sweep) -> dict[str, Any]:
    return {
        "name": sweep.name,
        "capacity_per_s": sweep.capacity_per_s,
        "planned_per_s": planned_per_s(sweep),
        "bounds": plain(results.bounds(sweep)),
        "cells": [
            {
                "policy": family,
                "of_optimal": estimate_document(results.of_optimal(sweep, family)),
                "goodput": results.goodputs(sweep, family),
                **plain(results.cell(sweep, family)),
            }
            for family in families_of(sweep)
        ],
    }
