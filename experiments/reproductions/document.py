"""A reproduction as a plain JSON document."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from experiments.render.plain import estimate_document, plain
from experiments.reproductions.cell import Cell
from experiments.reproductions.judgements import documents
from experiments.reproductions.reproduction import Reproduction
from experiments.reproductions.study import Study
from experiments.reproductions.tasks import BOUNDS
from orsched.statistics.estimate import estimate


def document(reproduction: Reproduction, study: Study, quick: bool) -> dict[str, Any]:
    """Everything on the page as plain data, with the columns by replication."""
    return {
        "name": reproduction.name,
        "source": reproduction.source,
        "version": version("orsched"),
        "seed": study.seed,
        "quick": quick,
        "comparisons": documents([(item.group, item.judged(study)) for item in reproduction.published()]),
        "sweeps": [
            {
                "name": sweep.name,
                "fleet": sweep.fleet.name,
                "caps": list(sweep.caps),
                "replications": sweep.replications,
                "tuning_replications": sweep.tuning_replications,
                "cells": [_cell_document(cell) for cell in study.cells(sweep)],
            }
            for sweep in study.sweeps
        ],
    }


def _cell_document(cell: Cell) -> dict[str, Any]:
    ran = bool(cell.rows)
    return {
        "policy": cell.family,
        "rate_per_s": cell.point.rate_per_s,
        "requests": cell.point.requests,
        "load": cell.load,
        BOUNDS: list(cell.bounds_s),
        **plain(cell.found),
        "stable": cell.stable if ran else None,
        "latency_mean_s": estimate_document(cell.estimate()) if ran else None,
        "gap": estimate_document(estimate(cell.gaps)) if ran else None,
    }
