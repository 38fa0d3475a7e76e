"""``orsched gap-table`` and ``orsched demo`` as calls."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.frames.tables import matrix_frame, table_frame
from experiments.orders.arguments import taken
from experiments.orders.defaults import HARDWARE, WORKLOAD
from experiments.orders.values import Numbers, require_counts

if TYPE_CHECKING:
    import pandas as pd

    from experiments.paths.source import WorkloadLike
    from orsched.catalogue import Hardware
    from orsched.fleet import Fleet
    from orsched.gap_table import GapTable
    from orsched.policy import Policy


@taken
def gap_table(
    policy: str | Policy | Iterable[str | Policy] | None = None,
    *,
    workload: WorkloadLike = WORKLOAD,
    hardware: str | Path | Hardware | Fleet = HARDWARE,
    load: Numbers | None = None,
    requests: int = 2_000,
    replications: int = 20,
    seed: int = 0,
    instances: int = 1,
    router: str | None = None,
    predictor: str | None = None,
    drop_oversized: bool = False,
    workers: int | None = None,
    matrix: bool = False,
    metric: str | None = None,
) -> pd.DataFrame:
    """Measure how far policies are from what no policy can beat, at several loads.

    Parameters
    ----------
    policy : str, Policy or several, optional
        By default vllm-v0, vllm-v1, sarathi, orca, sjf and wait.
    workload, hardware, requests, replications, seed, instances, router, predictor, drop_oversized, workers
        As for `experiments.frames.evaluate`.
    load : float or several, optional
        By default 0.5, 0.7, 0.9 and 0.97; of a `Workload` the load that it has.
    matrix : bool
        One quantity, and which policies may be the best at each load.
    metric : str, optional
        What a matrix shows; implies `matrix`. By default latency_mean_s.

    Returns
    -------
    pandas.DataFrame
        One row per policy and load, with the columns of `orsched.GapTable.to_frame`, reason (why a policy did not run
        or is not stable) and settings; or of its matrix (`orsched.gap_matrix.GapMatrix.to_frame`) and undecided (why
        policies could not be ranked). Notices and the facts of the run in ``attrs``.

    Raises
    ------
    InputError
        As ``orsched gap-table`` for the same options.
    """
    from experiments.orders.gaps import gap_table_order, shown_metric

    require_counts(workers=workers)
    shown = shown_metric(metric, matrix)
    table = gap_table_order(
        policy,
        workload=workload,
        hardware=hardware,
        load=load,
        requests=requests,
        replications=replications,
        seed=seed,
        instances=instances,
        router=router,
        predictor=predictor,
        drop_oversized=drop_oversized,
        workers=workers,
    )
    return _frame(table, shown)


@taken
def demo(*, requests: int = 2_000, replications: int = 20, seed: int = 0, workers: int | None = None) -> pd.DataFrame:
    """Measure six policies on the Azure conversation trace with Llama-2-7B on an A100, at four loads.

    Parameters
    ----------
    requests, replications, seed, workers
        As for `experiments.frames.evaluate`.

    Returns
    -------
    pandas.DataFrame
        As of `experiments.frames.gap_table`.
    """
    return gap_table(requests=requests, replications=replications, seed=seed, workers=workers)


def _frame(table: GapTable, metric: str | None) -> pd.DataFrame:
    from experiments.render.plain import table_document

    frame = table_frame(table) if metric is None else matrix_frame(table, metric)
    frame.attrs.update((key, value) for key, value in table_document(table).items() if key != "rows")
    return frame
