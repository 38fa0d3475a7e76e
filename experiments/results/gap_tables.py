"""Gap tables of what is finished: means and intervals over replications, seeds pooled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from experiments.comparison.gaps import lost_gaps, row_of_paths
from experiments.comparison.replication import Outcome, Path
from experiments.results.finished import Finished, finished
from experiments.results.pairing import Paired
from orsched.gap_table import SHOWN, GapRow, GapTable
from orsched.statistics.stability import Stability

Key = tuple[str, str, str | None]
"""Workload, fleet and predictor, as labelled."""

Cells = dict[tuple[float, str], list[Finished]]
"""What is finished in each column (by its place on the axis) of each policy."""

Rows = dict[tuple[float, str], GapRow]

PathId = tuple[int, int]
"""Seed and replication."""


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
    cells: dict[Key, Cells] = {}
    for one in finished(found):
        place = one.place
        rows = cells.setdefault((place.workload, place.fleet, place.predictor), {})
        rows.setdefault((place.point, place.policy or ""), []).append(one)
    is_bounded |= len(found.bounds.bounded) > 0
    for rows in cells.values():
        for cell in rows.values():
            cell.sort(key=_path_of)  # the order of seeds decides nothing
    tables = {key: {at: _row(at[1], cell) for at, cell in rows.items()} for key, rows in cells.items()}
    known = _known(cells, tables)
    return {
        key: _table(key, rows, tables[key], known[key[:2]], tuple(metrics), is_bounded) for key, rows in cells.items()
    }


def _table(
    key: Key,
    cells: Cells,
    rows: Rows,
    known: Mapping[float, set[PathId]],
    metrics: tuple[str, ...],
    is_bounded: bool,
) -> GapTable:
    workload, fleet, predictor = key
    everything = [one for cell in cells.values() for one in cell]
    seeds = sorted({one.place.seed for one in everything})
    notices = list(dict.fromkeys(notice for one in everything for notice in one.notices))
    if len(seeds) > 1:
        notices.append(f"seeds {', '.join(map(str, seeds))}, their replications pooled")
    counts = {len(cell) for cell in cells.values()}
    if len(counts) > 1:
        notices.append(f"unfinished or failed: rows have {min(counts)} to {max(counts)} replications")
    lacking = _lacking(cells, rows, known)
    table = GapTable(
        workload=workload,
        fleet=fleet,
        requests=everything[0].place.requests,
        replications=max(counts),
        seed=seeds[0],
        rows=tuple(_unranked(row) if at in lacking else row for at, row in rows.items()),
        predictor=predictor,
        axis=everything[0].place.axis,
        metrics=metrics,
    )
    for place in table.places:
        if names := [f"{policy} ({lacks})" for (at, policy), lacks in lacking.items() if at == place]:
            notices.append(f"not ranked at {table.at(place)}, for lack of paths: {', '.join(names)}")
    notices += [*_loads(table, cells), *(_unbounded(table, cells) if is_bounded else ()), *_lost(table, cells)]
    return replace(table, notices=tuple(notices))


def _known(cells: Mapping[Key, Cells], tables: Mapping[Key, Rows]) -> dict[tuple[str, str], dict[float, set[PathId]]]:
    """The paths that policies which kept up have finished in each column, whatever the predictor."""
    known: dict[tuple[str, str], dict[float, set[PathId]]] = {}
    for (workload, fleet, predictor), rows in tables.items():
        columns = known.setdefault((workload, fleet), {})
        for (at, policy), row in rows.items():
            if row.stable:
                columns.setdefault(at, set()).update(_served(cells[workload, fleet, predictor][at, policy]))
    return known


def _lacking(cells: Cells, rows: Rows, known: Mapping[float, set[PathId]]) -> dict[tuple[float, str], str]:
    """Which rows lack paths that others have, as while a run goes on or after failures, and how many they have."""
    served = {at: set(_served(cells[at])) for at, row in rows.items() if row.stable}
    return {at: f"{len(has)} of {len(known[at[0]])}" for at, has in served.items() if has != known[at[0]]}


def _unranked(row: GapRow) -> GapRow:
    """`row` without its values on each path, by which policies are ranked."""
    return replace(row, values={}, gaps={metric: replace(gap, values=()) for metric, gap in row.gaps.items()})


def _served(cell: Sequence[Finished]) -> tuple[PathId, ...]:
    return tuple(_path_of(one) for one in cell if one.status == "done")


def _path_of(one: Finished) -> PathId:
    return one.place.seed, one.place.replication


def _loads(table: GapTable, cells: Cells) -> list[str]:
    """Say what loads the places on another axis are."""
    if table.axis == "load":
        return []
    places: dict[str, list[float]] = {}
    for at, load in {at: cell[0].load for (at, _), cell in cells.items()}.items():
        if load is not None:
            places.setdefault(f"{load:.4g}", []).append(at)
    return [f"{table.at(*at)}: load {load}" for load, at in places.items()]


def _unbounded(table: GapTable, cells: Cells) -> list[str]:
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


def _lost(table: GapTable, cells: Cells) -> list[str]:
    """Say which gaps are left out because the bounds of some paths are 0; `_unbounded` is of paths without any."""
    notices = []
    for place in table.places:
        here = [one for (at, _), cell in cells.items() if at == place for one in cell]
        if all(one.is_bounded for one in here):
            bounded = {_path_of(one): one.best for one in here}
            gaps = {metric for one in here for metric in one.gaps}
            notices += lost_gaps(table.at(place), list(bounded.values()), gaps)
    return notices


def _row(policy: str, cell: list[Finished]) -> GapRow:
    """Summarise one policy in one column."""
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
    return replace(row, information=first.information, settings=settings, at=at, requests=requests)


def _path(policy: str, load: float | None, one: Finished) -> Path:
    stability = Stability(one.stable is not False, one.reason, one.growth_per_s)
    return Path(
        load, one.place.replication, tuple(one.best.values()), {policy: Outcome(one.shown, one.gaps, stability)}
    )
