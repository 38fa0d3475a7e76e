"""Gap tables of what is finished: means and intervals over replications, seeds pooled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from experiments.comparison.gaps import row_of_paths
from experiments.comparison.replication import Outcome, Path
from experiments.results.finished import Finished, finished
from experiments.results.pairing import Paired
from orsched.gap_table import SHOWN, GapRow, GapTable
from orsched.statistics.stability import Stability

Key = tuple[str, str, str | None]
"""Workload, fleet and predictor, as labelled."""


def gap_tables(found: Paired, metrics: Sequence[str] = SHOWN, is_bounded: bool = False) -> dict[Key, GapTable]:
    """One gap table per workload, fleet and predictor, in the order of the plan; a row per policy and column.

    Parameters
    ----------
    found : Paired
        What is finished.
    metrics : sequence of str
        What the tables show.
    is_bounded : bool
        Whether the experiment has bounds: then paths without any are named in the notices, also where none has them.
    """
    cells: dict[Key, dict[tuple[float, str], list[Finished]]] = {}
    for one in finished(found):
        place = one.place
        rows = cells.setdefault((place.workload, place.fleet, place.predictor), {})
        rows.setdefault((place.point, place.policy or ""), []).append(one)
    is_bounded |= len(found.bounds.bounded) > 0
    for rows in cells.values():
        for cell in rows.values():
            cell.sort(key=_path_of)  # the order of seeds decides nothing
    return {key: _table(key, rows, tuple(metrics), is_bounded) for key, rows in cells.items()}


def _path_of(one: Finished) -> tuple[int, int]:
    return one.place.seed, one.place.replication


def _table(
    key: Key, cells: dict[tuple[float, str], list[Finished]], metrics: tuple[str, ...], is_bounded: bool
) -> GapTable:
    workload, fleet, predictor = key
    everything = [one for cell in cells.values() for one in cell]
    seeds = sorted({one.place.seed for one in everything})
    notices = list(dict.fromkeys(notice for one in everything for notice in one.notices))
    if len(seeds) > 1:
        notices.append(f"seeds {', '.join(map(str, seeds))}, their replications pooled")
    counts = {len(cell) for cell in cells.values()}
    unpaired = _unpaired(cells)
    if len(counts) > 1:
        notices.append(f"unfinished or failed: rows have {min(counts)} to {max(counts)} replications")
    table = GapTable(
        workload=workload,
        fleet=fleet,
        requests=everything[0].place.requests,
        replications=max(counts),
        seed=seeds[0],
        rows=tuple(_row(policy, cell, at not in unpaired) for (at, policy), cell in cells.items()),
        notices=tuple(notices),
        predictor=predictor,
        axis=everything[0].place.axis,
        metrics=metrics,
    )
    return replace(table, notices=(*notices, *_loads(table, cells), *(_unbounded(table, cells) if is_bounded else ())))


def _loads(table: GapTable, cells: dict[tuple[float, str], list[Finished]]) -> list[str]:
    """Say what loads the places on another axis are."""
    if table.axis == "load":
        return []
    places: dict[str, list[float]] = {}
    for at, load in {at: cell[0].load for (at, _), cell in cells.items()}.items():
        if load is not None:
            places.setdefault(f"{load:.4g}", []).append(at)
    return [f"{table.at(*at)}: load {load}" for load, at in places.items()]


def _unbounded(table: GapTable, cells: dict[tuple[float, str], list[Finished]]) -> list[str]:
    """Say where bounds of sample paths failed or are not computed yet, which leaves all rows there without gaps."""
    paths: dict[float, dict[tuple[int, int], bool]] = {}
    for (at, _), cell in cells.items():
        paths.setdefault(at, {}).update({_path_of(one): one.is_bounded for one in cell})
    missing = {at: [bounded for bounded in known.values() if not bounded] for at, known in paths.items()}
    return [
        f"bounds of {len(without)} of {len(paths[at])} paths at {table.at(at)} are missing: no gaps there"
        for at, without in missing.items()
        if without
    ]


def _unpaired(cells: dict[tuple[float, str], list[Finished]]) -> set[float]:
    """Columns where policies have other paths than each other, as while a run goes on or after failures."""
    paths: dict[float, set[tuple[tuple[int, int], ...]]] = {}
    for (at, _), cell in cells.items():
        paths.setdefault(at, set()).add(tuple(map(_path_of, cell)))
    return {at for at, different in paths.items() if len(different) > 1}


def _row(policy: str, cell: list[Finished], is_paired: bool) -> GapRow:
    """Summarise one policy in one column; values per path only where those of all policies are of the same paths."""
    first = cell[0]
    on_axis = first.place.axis == "load"
    load = first.place.point if on_axis else first.load
    at = None if on_axis else first.place.point
    requests = first.place.requests if first.place.axis == "scale" else None
    served = [one for one in cell if one.status == "done"]
    if not served:
        return replace(GapRow.not_run(policy, first.information, load, first.reason), at=at, requests=requests)
    paths = [_path(policy, load, one) for one in served]
    row = row_of_paths(policy, load, paths, first.place.requests)
    settings = json.loads(first.settings)
    row = replace(row, information=first.information, settings=settings, at=at, requests=requests)
    if is_paired:
        return row
    return replace(row, values={}, gaps={metric: replace(gap, values=()) for metric, gap in row.gaps.items()})


def _path(policy: str, load: float | None, one: Finished) -> Path:
    stability = Stability(one.stable is not False, one.reason, one.growth_per_s)
    return Path(
        load, one.place.replication, tuple(one.best.values()), {policy: Outcome(one.shown, one.gaps, stability)}
    )
