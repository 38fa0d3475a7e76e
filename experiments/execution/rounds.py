"""Replications in rounds, until every interval is narrow enough."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from experiments.execution.specification import Precision
from experiments.gaps import pooled_stability
from experiments.results.folder import ResultsFolder
from experiments.results.pairing import mappings
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
    known = zip(*(rows[name].to_pylist() for name in names), mappings(rows["shown"]), strict=True)
    found = {task: _Seen(*seen) for task, *seen in known}
    cells: dict[tuple[object, ...], list[tuple[Place, _Seen | None]]] = {}
    for task, place in places:
        if place.kind == "serve":
            key = (place.workload, place.fleet, place.policy, place.predictor, place.point)
            cells.setdefault(key, []).append((place, found.get(task)))
    served = [seen for cell in cells.values() for _, seen in cell if seen is not None and seen.status == "done"]
    if served and not any(metric in seen.shown for seen in served):
        raise InputError(f"precision: no task measured {metric!r}")
    kept, left_out, lacking = [], 0, []
    for cell in cells.values():
        done = [(place, seen) for place, seen in cell if seen is not None and seen.status == "done"]
        if _without_mean(done, any(seen is not None for _, seen in cell)):
            left_out += 1
        elif len(done) > 1 and all(metric in seen.shown for _, seen in done):
            kept.append(tuple(seen.shown[metric] for _, seen in done))
        else:
            lacking.append(_label(cell[0][0]))
    return Cells(tuple(kept), left_out, tuple(lacking), len({place.seed for _, place in places}))


class _Seen(NamedTuple):
    """What judging needs of a finished task."""

    status: str
    stable: bool | None
    growth_per_s: float | None
    load: float | None
    shown: Mapping[str, float]


def _without_mean(done: Sequence[tuple[Place, _Seen]], any_finished: bool) -> bool:
    """Whether a cell has no mean by its nature: nothing but unavailable in it, or unstable as the gap table has it."""
    if not done:
        return any_finished
    place, first = done[0]
    load = place.point if first.load is None else first.load
    verdicts = [Stability(seen.stable is not False, "", seen.growth_per_s or 0.0) for _, seen in done]
    return not pooled_stability(load, verdicts, place.requests)[0]


def _label(place: Place) -> str:
    names = (place.policy, place.predictor, place.workload, place.fleet)
    return f"{', '.join(name for name in names if name)} at {place.axis} {place.point:g}"
