"""``orsched bench``: how fast the engine is."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.consoles import error_console, output_console, print_json
from experiments.cli.options import Json

bench = typer.Typer(help="Measure speed.", no_args_is_help=True)


@bench.callback()
def _group() -> None:
    pass


@bench.command("engine")
def engine(
    requests: Annotated[int, typer.Option("--requests", min=1_000, help="Requests per simulation.")] = 100_000,
    full: Annotated[bool, typer.Option("--full", help="Also 1,000,000 requests: linearity and peak memory.")] = False,
    record: Annotated[bool, typer.Option(help="Keep this run to compare the next one with.")] = True,
    as_json: Json = False,
) -> None:
    """Simulated requests per second on one core, beside bare SimPy timeouts in the same process."""
    from experiments.bench.engine import bench_engine
    from experiments.bench.history import History
    from experiments.bench.report import to_rich

    errors = error_console()
    history = History.of_user("bench-engine")
    previous = history.last(requests)
    with errors.status("simulating"):
        found = bench_engine(requests, full=full)
    if record:
        try:
            history.append(found)
        except OSError as error:
            errors.out(f"note: not recorded: {error}", highlight=False)
    if as_json:
        print_json({**found, "previous": previous})
    else:
        output_console().print(to_rich(found, previous))
