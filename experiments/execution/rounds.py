"""Replications in rounds, until every interval is narrow enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.comparison.gaps import pooled_stability
from experiments.execution.specification import Precision
from experiments.results.entries import Exploded
from experiments.results.folder import ResultsFolder
from experiments.results.place import Place
from orsched.errors import InputError
from orsched.statistics.estimate import estimate
from orsched.statistics.sequential import expected_replications
from orsched.statistics.stability import Stability
from orsched.statistics.stop_rule import StopRule


@dataclass(frozen=True, slots=True)
class Precise:
    """How near the intervals are to what was asked for.

    Parameters
    ----------
    reached : bool
        Whether there is an interval, every interval is narrow enough, and no cell lacks values.
    replications : int
        Per seed, to run next; as many as now when there is nothing left to run.
    widest : float or None
        Largest relative half-width of a cell; None where no cell has one.
    left_out : int
        Cells without a mean by their nature: unstable as the gap table has it, or of a policy that cannot run there.
    lacking : tuple of str
        Cells that should have an interval and have none, as after failures.
    """

    reached: bool
    replications: int
    widest: float | None
    left_out: int
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cells:
    """What was observed of one metric, in the cells of the gap tables.

    Parameters
    ----------
    values : tuple of tuple of float
        Per policy at a place of the table, one value per seed and replication; two at least.
    left_out : int
        As in `Precise`.
    lacking : tuple of str
        As in `Precise`.
    seeds : int
        Whose replications are pooled.
    """

    values: tuple[tuple[float, ...], ...]
    left_out: int
    lacking: tuple[str, ...]
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
    estimates = [estimate(values) for values in cells.values]
    wanting = [current for current in estimates if not rule.reached(current)]
    widths = [width for width in (current.relative_half_width for current in estimates) if width is not None]
    wanted = max((math.ceil(expected_replications(rule, current) / seeds) for current in wanting), default=0)
    following = max(replications, min(wanted, 2 * replications, precision.most))
    reached = bool(estimates) and not wanting and not cells.lacking
    return Precise(reached, following, max(widths, default=None), cells.left_out, cells.lacking)


def observed(folder: ResultsFolder, places: Sequence[tuple[str, Place]], metric: str) -> Cells:
    """Collect `metric`, after the warm-up, of what is finished: the very values whose means the gap tables show.

    Raises
    ------
    InputError
        When tasks have run, and none has such a metric.
    """
    rows = folder.rows(("status", "stable", "growth_per_s", "load", "shown")).table
    names = ("task", "status", "stable", "growth_per_s", "load")
    known = zip(*(rows[name].to_pylist() for name in names), _values(rows["shown"], metric), strict=True)
    found = {task: _Seen(*seen) for task, *seen in known}
    cells: dict[tuple[object, ...], list[tuple[Place, _Seen | None]]] = {}
    for task, place in places:
        if place.kind == "serve":
            key = (place.workload, place.fleet, place.policy, place.predictor, place.point)
            cells.setdefault(key, []).append((place, found.get(task)))
    served = [seen for cell in cells.values() for _, seen in cell if seen is not None and seen.status == "done"]
    if served and not any(seen.value is not None for seen in served):
        raise InputError(f"precision: no task measured {metric!r}")
    kept, left_out, lacking = [], 0, []
    for cell in cells.values():
        done = [(place, seen) for place, seen in cell if seen is not None and seen.status == "done"]
        if _without_mean(done, any(seen is not None for _, seen in cell)):
            left_out += 1
            continue
        values = tuple(seen.value for _, seen in done if seen.value is not None)
        if 1 < len(values) == len(done):
            kept.append(values)
        else:
            lacking.append(_label(cell[0][0]))
    return Cells(tuple(kept), left_out, tuple(lacking), len({place.seed for _, place in places}))


class _Seen(NamedTuple):
    """What judging needs of a finished task."""

    status: str
    stable: bool | None
    growth_per_s: float | None
    load: float | None
    value: float | None


def _values(column: pa.ChunkedArray, metric: str) -> list[float | None]:
    """What each map of `column` has under `metric`."""
    found = Exploded.of(column, np.arange(len(column)))
    is_wanted = pc.fill_null(pc.equal(found.field(0), metric), False).to_numpy()[found.at]
    numbers = found.field(1).take(pa.array(found.at[is_wanted])).to_pylist()
    values: list[float | None] = [None] * len(column)
    for row, value in zip(found.rows[is_wanted].tolist(), numbers, strict=True):
        values[row] = value
    return values


def _without_mean(done: Sequence[tuple[Place, _Seen]], any_finished: bool) -> bool:
    """Whether a cell has no mean by its nature: nothing but unavailable in it, or unstable as the gap table has it."""
    if not done:
        return any_finished
    place, first = done[0]
    load = place.point if place.axis == "load" else first.load
    verdicts = [Stability(seen.stable is not False, "", seen.growth_per_s or 0.0) for _, seen in done]
    return not pooled_stability(load, verdicts, place.requests)[0]


def _label(place: Place) -> str:
    names = (place.policy, place.predictor, place.workload, place.fleet)
    return f"{', '.join(name for name in names if name)} at {place.axis} {place.point:g}"
