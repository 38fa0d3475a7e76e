"""Results as tidy tables, in a fixed order of rows and columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from experiments.results.pairing import Paired
from experiments.results.plan import Plan
from orsched.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

TIDY = {
    "workload": "str",
    "fleet": "str",
    "policy": "str",
    "information": "str",
    "predictor": "str",
    "axis": "str",
    "point": "float64",
    "seed": "int64",
    "replication": "int64",
    "requests": "int64",
    "metric": "str",
    "value": "float64",
    "whole_value": "float64",
    "gap": "float64",
    "bound": "str",
    "bound_value": "float64",
    "bound_validity": "str",
    "bound_certified": "boolean",
    "status": "str",
    "stable": "boolean",
    "reason": "str",
    "task": "str",
}
"""Columns of the tidy table, and their types."""

BOUNDS = {
    "workload": "str",
    "fleet": "str",
    "axis": "str",
    "point": "float64",
    "seed": "int64",
    "replication": "int64",
    "requests": "int64",
    "metric": "str",
    "bound": "str",
    "sense": "str",
    "value": "float64",
    "validity": "str",
    "certified": "boolean",
    "task": "str",
}
"""Columns of the table of bounds."""

_ORDER = {name: place for place, name in enumerate(METRICS)}


def tidy_frame(found: list[Paired]) -> pd.DataFrame:
    """One row per finished policy on a sample path and metric: the columns of `TIDY`.

    ``value`` leaves the warm-up out; ``whole_value`` and ``gap`` are of the whole path, as bounds are. A policy that
    cannot run has one row without a metric, and the reason.
    """
    return _frame(list(chain.from_iterable(map(_tidy_rows, found))), TIDY)


def _tidy_rows(one: Paired) -> Iterator[tuple[Any, ...]]:
    place = one.place
    labels = (place.workload, place.fleet, place.policy, one.information, place.predictor)
    start = (*labels, place.axis, place.point, place.seed, place.replication, place.requests)
    end = (one.status, one.stable, one.reason, one.task)
    if not one.whole:
        yield (*start, None, None, None, None, None, None, None, None, *end)
    for metric in sorted(one.whole.keys() | one.shown.keys(), key=lambda name: (_ORDER.get(name, len(_ORDER)), name)):
        bound = one.best.get(metric)
        known = (None,) * 4 if bound is None else (bound.name, bound.value, bound.validity, bound.certified)
        yield (*start, metric, one.shown.get(metric), one.whole.get(metric), one.gaps.get(metric), *known, *end)


def bounds_frame(plan: Plan, rows: pa.Table) -> pd.DataFrame:
    """One row per bound of a sample path: the columns of `BOUNDS`.

    Parameters
    ----------
    plan : Plan
        Which tasks, and where they stand.
    rows : pyarrow.Table
        Finished tasks, with the columns ``task`` and ``bounds`` at least.
    """
    bounds = dict(zip(rows["task"].to_pylist(), rows["bounds"].to_pylist(), strict=True))
    found = []
    for task, place in plan.places():
        for bound in bounds.get(task, ()) if place.kind == "bound" else ():
            where = (place.workload, place.fleet, place.axis, place.point)
            path = (place.seed, place.replication, place.requests)
            names = ("metric", "name", "sense", "value", "validity", "certified")
            found.append((*where, *path, *(bound[name] for name in names), task))
    return _frame(found, BOUNDS)


def tasks_frame(plan: Plan, rows: pa.Table, failed: set[str]) -> pd.DataFrame:
    """One row per place of the plan: its labels, its status and what is known of it.

    ``status`` is ``done``, ``unavailable`` (the policy cannot run there), ``failed`` or ``missing``.

    Parameters
    ----------
    plan : Plan
        Which tasks, and where they stand.
    rows : pyarrow.Table
        Finished tasks, with the columns of `OF_TASKS`.
    failed : set of str
        Ids of failed tasks.
    """
    import pandas as pd

    known = rows.select(["task", *OF_TASKS]).to_pandas().set_index("task")
    places = plan.table.to_pandas()
    frame = places.join(known, on="task")
    missing = frame["status"].isna()
    status = pd.Series("missing", index=frame.index).mask(frame["task"].isin(failed), "failed")
    frame["status"] = frame["status"].where(~missing, status)
    return frame.astype({"stable": "boolean"})


OF_TASKS = (
    *("status", "reason", "information", "router", "load", "stable", "growth_per_s", "settings", "clock_s", "subject"),
    *("code", "wall_s"),
)
"""Columns of a finished task in the table of tasks."""


def _frame(rows: list[tuple[Any, ...]], kinds: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    types = {"str": "object"}
    data = {
        name: pd.Series(column, dtype=types.get(kind, kind))
        for (name, kind), column in zip(kinds.items(), columns, strict=True)
    }
    return pd.DataFrame(data)
