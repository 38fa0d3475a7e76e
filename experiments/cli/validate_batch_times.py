"""``orsched validate batch-times``: measured batch times beside rooflines and held-out fits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json

Out = Annotated[Path | None, typer.Option("--out", help="Write points.csv and errors.csv to a folder.")]


def batch_times(out: Out = None, as_json: options.Json = False) -> None:
    """Predict measured prompt and token times of batches: errors by GPU, model, parallelism, batch and share of SMs.

    Rooflines as they are, rooflines fitted to the other groups, and the hinged form fitted to the other batch sizes.
    """
    from experiments.progress import progress_bar
    from experiments.validation.batch_times import LEFT_OUT_BY, validate_batch_times
    from experiments.validation.error_report import bound_lines, errors_json, errors_table, require_folder, write_errors

    errors = error_console()
    require_folder(out)
    with progress_bar(errors, "predictors", 2 + len(LEFT_OUT_BY)) as advance:
        found = validate_batch_times(progress=advance)
    if out is not None:
        for path in write_errors(found.points, found.errors, out):
            errors.out(f"wrote {path}", highlight=False)
    if as_json:
        print_json({"points": len(found.points), **errors_json(found.errors, found.shares)})
        return
    console = output_console()
    console.print(errors_table(found.errors))
    for line in bound_lines(found.shares):
        console.out(line, highlight=False)
