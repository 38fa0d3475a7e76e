"""``orsched evaluate`` as a call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.orders.arguments import taken
from experiments.orders.defaults import HARDWARE, WORKLOAD
from experiments.orders.values import Numbers, require_counts

if TYPE_CHECKING:
    import pandas as pd

    from experiments.paths.source import WorkloadLike
    from orsched.catalogue import Hardware
    from orsched.fleet import Fleet
    from orsched.policy import Policy


@taken
def evaluate(
    policy: str | Policy,
    *,
    workload: WorkloadLike = WORKLOAD,
    hardware: str | Path | Hardware | Fleet = HARDWARE,
    load: float = 0.9,
    requests: int = 2_000,
    replications: int = 10,
    seed: int = 0,
    instances: int = 1,
    router: str | None = None,
    predictor: str | None = None,
    slo_ttft: float | None = None,
    slo_tpot: float | None = None,
    warm_up: str = "none",
    thresholds: Numbers | None = None,
    stage_iterations: int = 1,
    drop_oversized: bool = False,
    workers: int | None = None,
) -> pd.DataFrame:
    """Simulate one policy at one load: metrics, bounds and gaps with 95% intervals.

    Parameters
    ----------
    policy : str or Policy
        A registry name, or a policy of your own.
    workload : str, Path, Workload or WorkloadSource
        A catalogue name, the path of a trace, requests to resample, or a source of sample paths.
    hardware : str, Path, Hardware or Fleet
        A catalogue name, the path of a hardware file, an entry, or a whole fleet.
    load : float
        Load; 1 is the edge of what any policy can sustain.
    requests, replications, seed : int
        Requests of a sample path, sample paths, seed of every random stream.
    instances : int
        Identical instances; only for one entry.
    router : str, optional
        Router of several instances; by default jsq.
    predictor : str, optional
        Predicted output lengths for a policy that uses lengths, as ``"noise:0.5"``.
    slo_ttft, slo_tpot : float, optional
        Objective, seconds: both or none.
    warm_up : str
        Rule for arrivals left out of the metrics: none, mser-5 or ``fixed-<percent>%``.
    thresholds : sequence of int, optional
        WAIT only: prompts per stage of each class.
    stage_iterations : int
        With `thresholds`: iterations per stage.
    drop_oversized : bool
        Leave out requests larger than the KV memory instead of refusing.
    workers : int, optional
        Processes; None: as many cores as pay off. Nothing but time depends on it.

    Returns
    -------
    pandas.DataFrame
        One row per metric; columns and ``attrs`` as of `experiments.comparison.evaluation.Evaluation.frame`: metric,
        unit, mean, half_width, n, gap, gap_half_width, bound, bound_value, bound_validity, bound_certified.

    Raises
    ------
    InputError
        As ``orsched evaluate`` for the same options.
    """
    from experiments.comparison.evaluation import evaluation
    from experiments.orders.evaluating import evaluation_order

    require_counts(workers=workers)
    experiment = evaluation_order(
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
        slo_ttft=slo_ttft,
        slo_tpot=slo_tpot,
        warm_up=warm_up,
        thresholds=thresholds,
        stage_iterations=stage_iterations,
        drop_oversized=drop_oversized,
    )
    return evaluation(experiment, workers=workers).frame()
