"""``orsched evaluate``: one policy at one load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json
from orsched.errors import InputError

if TYPE_CHECKING:
    from orsched.fleet import Fleet
    from orsched.policy import Policy
    from orsched.workloads.sources import WorkloadSource


def evaluate(
    policy: Annotated[str, typer.Option("--policy", help="A name from `orsched list policies`.")],
    workload: options.WorkloadName = options.WORKLOAD,
    hardware: options.HardwareName = options.HARDWARE,
    load: Annotated[float, typer.Option("--load", help="Load; 1 is the edge of what any policy can sustain.")] = 0.9,
    requests: options.Requests = 2_000,
    replications: options.Replications = 10,
    seed: options.Seed = 0,
    instances: options.Instances = 1,
    router: options.RouterName = None,
    predictor: options.PredictorName = None,
    slo_ttft: options.SloTtft = None,
    slo_tpot: options.SloTpot = None,
    warm_up: options.WarmUpRule = "none",
    thresholds: options.Thresholds = None,
    stage_iterations: options.StageIterations = 1,
    drop_oversized: options.DropOversized = False,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Simulate one policy at one load: metrics, bounds and gaps with 95% intervals."""
    from experiments.evaluation import evaluation
    from experiments.experiment import Experiment
    from experiments.progress import progress_bar
    from experiments.render.evaluation import to_rich
    from experiments.source import source_for

    fleet = options.fleet_of(hardware, instances)
    chosen: str | Policy = policy
    if thresholds is not None:
        chosen = _wait(policy, source_for(workload, fleet, drop_oversized), fleet, load, thresholds, stage_iterations)
    elif stage_iterations != 1:
        raise InputError("--stage-iterations goes with --thresholds")
    experiment = Experiment(
        workload=workload,
        fleet=fleet,
        policies=(chosen,),
        loads=(load,),
        requests=requests,
        replications=replications,
        seed=seed,
        router=router,
        slo=options.slo_of(slo_ttft, slo_tpot),
        warm_up=warm_up,
        drop_oversized=drop_oversized,
        predictor=predictor,
    )
    errors = error_console()
    with progress_bar(errors, "sample paths", replications) as advance:
        found = evaluation(experiment, workers=workers, on_task_done=advance)
    if as_json:
        for notice in found.notices:
            errors.out(f"note: {notice}", highlight=False)
        print_json(found.to_json())
    else:
        output_console().print(to_rich(found))


def _wait(
    policy: str, source: WorkloadSource, fleet: Fleet, load: float, thresholds: str, stage_iterations: int
) -> Policy:
    from experiments.build import wait_with_thresholds

    if policy != "wait":
        raise InputError(f"--thresholds is for policy 'wait', not for {policy!r}")
    per_class = options.split_counts("--thresholds", thresholds)
    return wait_with_thresholds(source, fleet, load, per_class, stage_iterations)
