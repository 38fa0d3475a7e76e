"""``orsched demo``: the main result on a real trace, in under a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console

REQUESTS = 2_000
FORMATS = (".parquet", ".md", ".tex", ".png")


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder of the files it writes.")] = Path("orsched-demo"),
    requests: options.Requests = REQUESTS,
    replications: options.Replications = 20,
    seed: options.Seed = 0,
    workers: options.Workers = None,
) -> None:
    """Six policies on the Azure conversation trace with Llama-2-7B on an A100, at four loads.

    Prints the gap table and writes it as Parquet, Markdown, LaTeX and a figure.
    """
    from experiments.comparison.gaps import LOADS
    from experiments.orders.gaps import gap_table_order
    from experiments.progress import progress_bar
    from experiments.render.files import require_writable, write
    from experiments.render.terminal import to_rich

    paths = [out / f"gap_table{ending}" for ending in FORMATS]
    for path in paths:
        require_writable(path)
    errors = error_console()
    with progress_bar(errors, "sample paths", len(LOADS) * replications) as advance:
        table = gap_table_order(
            None,
            workload=options.WORKLOAD,
            hardware=options.HARDWARE,
            load=LOADS,
            requests=requests,
            replications=replications,
            seed=seed,
            workers=workers,
            on_task_done=advance,
        )
    for path in paths:
        write(table, path)
    console = output_console()
    console.print(to_rich(table))
    for path in paths:
        console.out(f"wrote {path}", highlight=False)
