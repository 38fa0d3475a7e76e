"""``orsched evaluate``: one policy at one load."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json


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
    from experiments.comparison.evaluation import evaluation
    from experiments.orders.evaluating import evaluation_order
    from experiments.progress import progress_bar
    from experiments.render.evaluation import to_rich

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
    errors = error_console()
    with progress_bar(errors, "sample paths", replications) as advance:
        found = evaluation(experiment, workers=workers, on_task_done=advance)
    if as_json:
        for notice in found.notices:
            errors.out(f"note: {notice}", highlight=False)
        print_json(found.to_json())
    else:
        output_console().print(to_rich(found))
