"""What ``orsched gap-table`` and ``orsched demo`` are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.orders.defaults import POLICIES
from experiments.orders.fleets import fleet_of
from experiments.orders.results import known_metric
from experiments.orders.values import Numbers, names_and_others, numbers_of

if TYPE_CHECKING:
    from experiments.paths.source import WorkloadLike
    from orsched.catalogue import Hardware
    from orsched.fleet import Fleet
    from orsched.gap_table import GapTable
    from orsched.policy import Policy


def shown_metric(metric: str | None, matrix: bool) -> str | None:
    """The metric of a matrix; None where none is asked for.

    Raises
    ------
    UnknownNameError
        For an unknown metric.
    InputError
        For one that needs an objective.
    """
    from orsched.errors import InputError
    from orsched.gap_table import GAP_METRIC
    from orsched.metrics import OF_OBJECTIVE

    known_metric(metric)
    if metric in OF_OBJECTIVE:
        raise InputError(f"--metric {metric}: needs an objective, which this command has none of; see orsched evaluate")
    return metric or (GAP_METRIC if matrix else None)


def gap_table_order(
    policy: str | Policy | Iterable[str | Policy] | None,
    *,
    workload: WorkloadLike,
    hardware: str | Path | Hardware | Fleet,
    load: Numbers | None,
    requests: int,
    replications: int,
    seed: int,
    instances: int = 1,
    router: str | None = None,
    predictor: str | None = None,
    drop_oversized: bool = False,
    workers: int | None = None,
    on_task_done: Callable[[], None] = lambda: None,
) -> GapTable:
    """Measure gaps, from the options of ``orsched gap-table``, of which ``orsched demo`` has the defaults.

    Without a load they are those of `experiments.gap_table`, which also says what is raised.
    """
    from experiments.comparison.gaps import gap_table

    return gap_table(
        workload,
        fleet_of(hardware, instances),
        POLICIES if policy is None else names_and_others(policy),
        loads=None if load is None else numbers_of("--load", load),
        replications=replications,
        requests=requests,
        seed=seed,
        router=router,
        drop_oversized=drop_oversized,
        predictor=predictor,
        workers=workers,
        on_task_done=on_task_done,
    )
