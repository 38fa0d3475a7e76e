"""``orsched gap-table``: policies against bounds at several loads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json


def gap_table(
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", help=f"Repeat or separate with commas. Default: {', '.join(options.POLICIES)}."),
    ] = None,
    workload: options.WorkloadName = options.WORKLOAD,
    hardware: options.HardwareName = options.HARDWARE,
    load: Annotated[
        list[str] | None,
        typer.Option("--load", help="Repeat or separate with commas. Default: 0.5, 0.7, 0.9, 0.97."),
    ] = None,
    requests: options.Requests = 2_000,
    replications: options.Replications = 20,
    seed: options.Seed = 0,
    instances: options.Instances = 1,
    router: options.RouterName = None,
    predictor: options.PredictorName = None,
    drop_oversized: options.DropOversized = False,
    workers: options.Workers = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", help="Also write a file: .parquet, .csv, .md, .tex or .png. Repeatable."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Measure how far policies are from what no policy can beat, at several loads."""
    from experiments.gaps import LOADS
    from experiments.gaps import gap_table as measure_gaps
    from experiments.progress import progress_bar
    from experiments.render.files import require_writable, write
    from experiments.render.plain import table_document
    from experiments.render.terminal import to_rich

    for path in output or ():
        require_writable(path)
    loads = LOADS if load is None else options.split_numbers("--load", load)
    names = options.POLICIES if policy is None else options.split_names(policy)
    errors = error_console()
    with progress_bar(errors, "sample paths", len(loads) * replications) as advance:
        table = measure_gaps(
            workload,
            options.fleet_of(hardware, instances),
            names,
            loads=loads,
            replications=replications,
            requests=requests,
            seed=seed,
            router=router,
            drop_oversized=drop_oversized,
            predictor=predictor,
            workers=workers,
            on_task_done=advance,
        )
    for path in output or ():
        write(table, path)
        errors.out(f"wrote {path}", highlight=False)
    if as_json:
        print_json(table_document(table))
    else:
        output_console().print(to_rich(table))
