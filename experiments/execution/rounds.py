"""Replications in rounds, until every interval is narrow enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.execution.specification import Precision
from experiments.results.folder import ResultsFolder
from experiments.results.pairing import mappings
from experiments.results.place import Place
from orsched.errors import InputError
from orsched.estimate import estimate
from orsched.statistics.sequential import expected_replications
from orsched.stop_rule import StopRule


@dataclass(frozen=True, slots=True)
class Precise:
    """How near the intervals are to what was asked for.

    Parameters
    ----------
    reached : bool
        Whether every cell is precise enough.
    replications : int
        Per seed, to run next; as many as now when there is nothing left to run.
    widest : float or None
        Largest relative half-width of a cell; None where no cell has one.
    left_out : int
        Cells without a steady mean: unstable in most replications, or not run.
    """

    reached: bool
    replications: int
    widest: float | None
    left_out: int


@dataclass(frozen=True, slots=True)
class Cells:
    """What was observed of one metric.

    Parameters
    ----------
    values : tuple of tuple of float
        Per policy at a place of the table, one value per seed and replication.
    left_out : int
        Those without a steady mean.
    seeds : int
        Whose replications are pooled.
    """

    values: tuple[tuple[float, ...], ...]
    left_out: int
    seeds: int


def judge(precision: Precision, replications: int, cells: Cells) -> Precise:
    """Decide on the next round: as many replications as the widest cell will need by its spread, doubling at most.

    Parameters
    ----------
    precision : Precision
        What is asked for.
    replications : int
        Run by now, per seed.
    cells : Cells
        What they gave.
    """
    seeds = cells.seeds
    rule = StopRule(precision.relative, precision.least * seeds, precision.most * seeds)
    estimates = [estimate(values) for values in cells.values if len(values) > 1]
    wanting = [current for current in estimates if not rule.reached(current)]
    widths = [width for width in (current.relative_half_width for current in estimates) if width is not None]
    wanted = max((math.ceil(expected_replications(rule, current) / seeds) for current in wanting), default=0)
    following = max(replications, min(wanted, 2 * replications, precision.most))
    return Precise(not wanting, following, max(widths, default=None), cells.left_out)


def observed(folder: ResultsFolder, places: Sequence[tuple[str, Place]], metric: str) -> Cells:
    """Collect `metric`, after the warm-up, of what is finished.

    Raises
    ------
    InputError
        When no finished task has such a metric.
    """
    rows = folder.rows(("stable", "shown")).table
    known = zip(rows["task"].to_pylist(), rows["stable"].to_pylist(), mappings(rows["shown"]), strict=True)
    found = {task: (stable, shown) for task, stable, shown in known}
    cells: dict[tuple[object, ...], list[tuple[bool | None, float | None]]] = {}
    for task, place in places:
        if place.kind == "serve" and task in found:
            stable, shown = found[task]
            key = (place.workload, place.fleet, place.policy, place.predictor, place.point)
            cells.setdefault(key, []).append((stable, shown.get(metric)))
    if cells and not any(value is not None for cell in cells.values() for _, value in cell):
        raise InputError(f"precision: no task measured {metric!r}")
    steady = [[value for stable, value in cell if value is not None and stable is not False] for cell in cells.values()]
    kept = [tuple(values) for values, cell in zip(steady, cells.values(), strict=True) if 2 * len(values) > len(cell)]
    return Cells(tuple(kept), len(cells) - len(kept), len({place.seed for _, place in places}))
