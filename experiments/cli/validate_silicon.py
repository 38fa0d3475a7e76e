"""``orsched validate silicon``: measured serving points beside rooflines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json

TokenBudget = Annotated[
    int, typer.Option("--token-budget", min=1, help="Tokens of an iteration; the measurements do not say.")
]
KvBytes = Annotated[
    float, typer.Option("--kv-bytes", min=0.5, max=4.0, help="Bytes of a cached number; the measurements do not say.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Write points.csv and errors.csv to a folder.")]


def silicon(
    token_budget: TokenBudget = 8192, kv_bytes: KvBytes = 1.0, out: Out = None, as_json: options.Json = False
) -> None:
    """Predict measured TTFT and TPOT from rooflines: errors by GPU, model, precision, parallelism and engine.

    Also with shares of the peaks fitted to the other GPUs, models, precisions or degrees of parallelism.
    """
    from dataclasses import asdict

    from experiments.progress import progress_bar
    from experiments.validation.error_report import bound_lines, errors_json, errors_table, require_folder, write_errors
    from experiments.validation.silicon import LEFT_OUT_BY, Assumptions, validate_silicon

    assumptions = Assumptions(token_budget, kv_bytes)
    errors = error_console()
    require_folder(out)
    with progress_bar(errors, "predictors", 1 + len(LEFT_OUT_BY)) as advance:
        found = validate_silicon(assumptions, progress=advance)
    if out is not None:
        for path in write_errors(found.points, found.errors, out):
            errors.out(f"wrote {path}", highlight=False)
    if as_json:
        about = {"points": len(found.points), "left_out": dict(found.left_out), "assumptions": asdict(assumptions)}
        print_json({**about, **errors_json(found.errors, found.shares)})
        return
    console = output_console()
    console.print(errors_table(found.errors))
    for line in bound_lines(found.shares):
        console.out(line, highlight=False)
    console.out(f"{len(found.points)} points predicted; left out:", highlight=False)
    for reason, count in found.left_out.items():
        console.out(f"  {count}: {reason}", highlight=False)
