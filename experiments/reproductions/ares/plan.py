"""The ARES experiments, as the command runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from experiments.render.plain import estimate_document
from experiments.reproductions.ares.figure import write_figure
from experiments.reproductions.ares.numbers import judged
from experiments.reproductions.ares.page import page
from experiments.reproductions.ares.results import Results
from experiments.reproductions.ares.setting import FAMILIES, REPLICATIONS, REQUESTS, Sweep, sweeps
from experiments.reproductions.ares.tasks import AresTask, ErrorTask
from experiments.reproductions.judgements import documents
from experiments.reproductions.plan import Cells, CellTask, require_seed

QUICK_ERRORS = (20, 2)
"""Requests and replications of the predictors' errors in the quick version."""


@dataclass(frozen=True, slots=True)
class Ares:
    """The reproduction, found by its name."""

    @property
    def name(self) -> str:
        """As on the command line."""
        return "ares"

    def plan(self, quick: bool, seed: int) -> AresPlan:
        """What to run; raises InputError for a negative seed."""
        return AresPlan(sweeps(quick), quick, seed)


@dataclass(frozen=True)
class AresPlan:
    """Sweeps and a seed."""

    sweeps: tuple[Sweep, ...]
    quick: bool
    seed: int

    def __post_init__(self) -> None:
        require_seed(self.seed)

    @property
    def errors(self) -> ErrorTask:
        """The task of the predictors' errors."""
        return ErrorTask(*(QUICK_ERRORS if self.quick else (REQUESTS, REPLICATIONS)), self.seed)

    @property
    def tasks(self) -> list[CellTask]:
        """Every cell, the slowest first."""
        cells = [(sweep, load) for sweep in self.sweeps for load in sorted(sweep.loads, reverse=True)]
        return [self.errors, *(AresTask(*cell, family, self.seed) for cell in cells for family in FAMILIES)]

    def report(self, found: Cells) -> AresReport:
        """Put finished cells together."""
        return AresReport(Results(self.sweeps, self.errors, self.seed, found), self.quick)


@dataclass(frozen=True)
class AresReport:
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
        """Everything on the page as plain data, with the columns by replication."""
        results = self.results
        return {
            "name": "ares",
            "version": version("orsched"),
            "seed": results.seed,
            "quick": self.quick,
            "comparisons": documents(judged(results)),
            "errors_tokens": dict(results.found[results.errors.identity]),
            "sweeps": [_sweep(results, sweep) for sweep in results.sweeps],
        }


def _sweep(results: Results, sweep: Sweep) -> dict[str, Any]:
    return {
        "name": sweep.name,
        "fleet": sweep.fleet.name,
        "placement": sweep.placement,
        "period_s": sweep.period_s,
        "slo": {"ttft_s": sweep.slo.ttft_s, "tpot_s": sweep.slo.tpot_s},
        "goodput_per_s": {family: results.goodputs(sweep, family) for family in FAMILIES},
        "cells": [
            {
                "policy": family,
                "load": load,
                "rate_per_s": sweep.rate_per_s(load),
                "tpot_p99_s": estimate_document(results.estimate(sweep, load, family, "tpot_p99_s")),
                "rows": list(results.rows(sweep, load, family)),
            }
            for load in sweep.loads
            for family in FAMILIES
        ],
    }
