"""Results as tidy tables, in a fixed order of rows and columns."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.results.entries import Floats, Whole, increasing
from experiments.results.framing import spread
from experiments.results.pairing import Paired
from experiments.results.path_bounds import bounds_table
from experiments.results.places import Places
from experiments.results.plan import Plan

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

_OF_PLACES = (
    *("workload", "fleet", "policy", "predictor", "axis", "point", "seed", "replication", "requests"),
    *("status", "stable", "reason", "task"),
)


def tidy_frame(found: Paired) -> pd.DataFrame:
    """One row per finished policy on a sample path and metric: the columns of `TIDY`.

    ``value`` leaves the warm-up out; ``whole_value`` and ``gap`` are of the whole path, as bounds are. A policy that
    cannot run has one row without a metric, and the reason.
    """
    stride, places, best = found.names.stride, found.places, found.bounds.best
    unmeasured = np.ones(len(places), bool)
    unmeasured[found.whole.keys // stride] = False
    keys = increasing(found.whole.keys, found.shown.keys, np.flatnonzero(unmeasured) * stride)
    place, metric = np.divmod(keys, stride)
    bound = found.bounds.beside(keys, found.paths)
    return _frame(
        TIDY,
        {name: (places.column(name), place) for name in _OF_PLACES}
        | {"information": (pc.fill_null(places.column("information"), ""), place)}
        | {"metric": (pa.chunked_array([pa.array(found.names.array)]), metric)}
        | {"bound": (best["name"], bound), "bound_value": (best["value"], bound)}
        | {"bound_validity": (best["validity"], bound), "bound_certified": (best["certified"], bound)},
        {"value": found.shown.at(keys), "whole_value": found.whole.at(keys), "gap": found.gaps.at(keys)},
    )


def bounds_frame(plan: Plan, rows: pa.Table) -> pd.DataFrame:
    """One row per bound of a sample path: the columns of `BOUNDS`.

    Parameters
    ----------
    plan : Plan
        Which tasks, and where they stand.
    rows : pyarrow.Table
        Finished tasks, with the columns ``task`` and ``bounds`` at least.
    """
    places = Places.of(plan, rows.select(["task", "bounds"]), "bound")
    found = places.exploded("bounds")
    bounds, every = bounds_table(found), np.arange(len(found.rows))
    return _frame(
        BOUNDS,
        {name: (places.labels[name], found.rows) for name in BOUNDS if name in places.labels.column_names}
        | {"bound" if name == "name" else name: (bounds[name], every) for name in bounds.column_names},
    )


def _frame(
    kinds: Mapping[str, str],
    sources: Mapping[str, tuple[pa.ChunkedArray, Whole]],
    numbers: Mapping[str, Floats] = MappingProxyType({}),
) -> pd.DataFrame:
    """A frame with columns `kinds`: `sources`, each at its rows, and `numbers` as they are."""
    import pandas as pd

    columns = {
        name: pd.Series(numbers[name], copy=False) if name in numbers else spread(*sources[name], kind)
        for name, kind in kinds.items()
    }
    return pd.DataFrame(columns, copy=False)


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
