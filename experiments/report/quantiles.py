"""Percentiles of per-request times, averaged over the replications of a policy."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from experiments.results.place import Place
from experiments.results.plan import Plan
from orsched.errors import InputError
from orsched.work import Floats

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PERCENTILES = 101
"""Of each time in a row of the results: 0, 1, ..., 100."""

COLUMNS = ("workload", "fleet", "policy", "predictor", "point", "time", "percentile", "value")


def mean_quantiles(plan: Plan, rows: pa.Table) -> pd.DataFrame:
    """One row per policy, column, time and percentile: `COLUMNS`, values in seconds.

    Parameters
    ----------
    plan : Plan
        Which tasks, and where they stand.
    rows : pyarrow.Table
        Finished tasks, with the columns ``task`` and ``quantiles`` at least.

    Raises
    ------
    InputError
        When a finished task has another number of percentiles.
    """
    import pandas as pd

    found = _by_task(rows)
    sums: dict[tuple[Place, str], list[Floats]] = {}
    for task, place in plan.places():
        for time, values in found.get(task, {}).items() if place.kind == "serve" else ():
            sums.setdefault((place._replace(seed=0, replication=0), time), []).append(values)
    parts = [
        pd.DataFrame(
            {
                **{name: [getattr(place, name)] * PERCENTILES for name in COLUMNS[:5]},
                "time": time,
                "percentile": range(PERCENTILES),
                "value": np.mean(values, axis=0),
            }
        )
        for (place, time), values in sums.items()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _by_task(rows: pa.Table) -> dict[str, dict[str, Floats]]:
    tasks = iter(rows["task"].to_pylist())
    found: dict[str, dict[str, Floats]] = {}
    for chunk in rows["quantiles"].chunks:
        keys, items = chunk.keys.to_pylist(), chunk.items  # of the whole array, wherever the chunk starts
        offsets = items.offsets.to_numpy()
        if (np.diff(offsets) != PERCENTILES).any():
            raise InputError(f"results with other than {PERCENTILES} percentiles of a time")
        values = items.values.to_numpy()[offsets[0] : offsets[-1]].reshape(-1, PERCENTILES)
        for start, end in pairwise(chunk.offsets.to_pylist()):
            found[next(tasks)] = dict(zip(keys[start:end], values[start:end], strict=True))
    return found
