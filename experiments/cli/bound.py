"""``orsched bound``: what no policy can beat at one load."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json


def bound(
    workload: options.WorkloadName = options.WORKLOAD,
    hardware: options.HardwareName = options.HARDWARE,
    load: Annotated[float, typer.Option("--load", help="Load; 1 is the edge of what any policy can sustain.")] = 0.9,
    requests: options.Requests = 2_000,
    replications: options.Replications = 10,
    seed: options.Seed = 0,
    instances: options.Instances = 1,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", help="Also simulate it, for its gap; repeat, separate with commas, or `all`."),
    ] = None,
    predictor: options.PredictorName = None,
    drop_oversized: options.DropOversized = False,
    as_json: options.Json = False,
) -> None:
    """Show every bound at one load with 95% intervals, and how close policies come to them."""
    from experiments.comparison.bounding import bounding
    from experiments.orders.evaluating import bounding_order
    from experiments.progress import progress_bar
    from experiments.render.bounding import to_rich

    experiment = bounding_order(
        workload=workload,
        hardware=hardware,
        load=load,
        requests=requests,
        replications=replications,
        seed=seed,
        instances=instances,
        policy=policy,
        predictor=predictor,
        drop_oversized=drop_oversized,
    )
    errors = error_console()
    with progress_bar(errors, "sample paths", replications) as advance:
        found = bounding(experiment, with_policies=policy is not None, on_path_done=advance)
    if as_json:
        for notice in found.notices:
            errors.out(f"note: {notice}", highlight=False)
        print_json(found.to_json())
    else:
        output_console().print(to_rich(found))
