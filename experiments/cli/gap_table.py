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
        typer.Option(
            "--output", help="Also write a file: .parquet, .csv, .md, .tex, .html, .png, .svg or .pdf. Repeatable."
        ),
    ] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Policies down, loads across, and which ones may be the best.")
    ] = False,
    metric: Annotated[
        str | None, typer.Option("--metric", help="What a matrix shows; implies --matrix. Default: latency_mean_s.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Measure how far policies are from what no policy can beat, at several loads."""
    from experiments.comparison.gaps import LOADS
    from experiments.orders.gaps import gap_table_order, shown_metric
    from experiments.orders.values import numbers_of
    from experiments.progress import progress_bar
    from experiments.render import matrix as as_matrix
    from experiments.render.files import MATRIX_WRITERS, WRITERS, require_writable, write
    from experiments.render.plain import table_document
    from experiments.render.terminal import to_rich

    shown = shown_metric(metric, matrix)
    for path in output or ():
        require_writable(path, WRITERS if shown is None else MATRIX_WRITERS)
    loads = LOADS if load is None else numbers_of("--load", load)
    errors = error_console()
    with progress_bar(errors, "sample paths", len(loads) * replications) as advance:
        table = gap_table_order(
            policy,
            workload=workload,
            hardware=hardware,
            load=loads,
            requests=requests,
            replications=replications,
            seed=seed,
            instances=instances,
            router=router,
            predictor=predictor,
            drop_oversized=drop_oversized,
            workers=workers,
            on_task_done=advance,
        )
    arranged = None if shown is None else table.matrix(shown)
    for path in output or ():
        write(arranged or table, path)
        errors.out(f"wrote {path}", highlight=False)
    if as_json:
        print_json(table_document(table) if arranged is None else as_matrix.matrix_document(arranged))
    else:
        output_console().print(to_rich(table) if arranged is None else as_matrix.to_rich(arranged))
