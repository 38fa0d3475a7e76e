"""How far an experiment is, fast: by names of files and ids, without reading results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.results.folder import ResultsFolder

if TYPE_CHECKING:
    import pandas as pd

GROUPS = ("workload", "fleet", "policy", "predictor")


def listing(folder: ResultsFolder) -> pd.DataFrame:
    """One row per workload, fleet, policy (``bounds`` for those) and predictor, in the order of the plan.

    Columns: `GROUPS`, ``tasks``, ``finished``, ``failed``, ``missing``. What is finished is not opened: files that are
    damaged show when they are read or run again.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    plan = folder.plan().table
    finished = pc.is_in(plan["task"], value_set=pa.array(list(folder.finished()), pa.string()))
    failed = pc.and_(
        pc.is_in(plan["task"], value_set=pa.array(list(folder.failed.names()), pa.string())), pc.invert(finished)
    )
    frame = plan.select(list(GROUPS)).to_pandas()
    frame["policy"] = frame["policy"].where(frame["policy"].notna(), "(bounds)")
    frame["predictor"] = frame["predictor"].fillna("")
    frame["finished"], frame["failed"] = finished.to_numpy(), failed.to_numpy()
    groups = frame.groupby(list(GROUPS), sort=False, dropna=False)
    counts = groups.agg(tasks=("finished", "size"), finished=("finished", "sum"), failed=("failed", "sum"))
    counts["missing"] = counts["tasks"] - counts["finished"] - counts["failed"]
    return counts.reset_index()
