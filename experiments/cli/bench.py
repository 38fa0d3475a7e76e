"""``orsched bench``: how fast the engine and the bounds are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.consoles import error_console, output_console, print_json
from experiments.cli.options import Json

if TYPE_CHECKING:
    from experiments.bench.history import Recorded

bench = typer.Typer(help="Measure speed.", no_args_is_help=True)

Record = Annotated[bool, typer.Option(help="Keep this run to compare the next one with.")]


@bench.callback()
def _group() -> None:
    pass


@bench.command("engine")
def engine(
    requests: Annotated[int, typer.Option("--requests", min=1_000, help="Requests per simulation.")] = 100_000,
    full: Annotated[bool, typer.Option("--full", help="Also 1,000,000 requests: linearity and peak memory.")] = False,
    record: Record = True,
    as_json: Json = False,
) -> None:
    """Simulated requests per second on one core, beside bare SimPy timeouts in the same process."""
    from experiments.bench.engine import bench_engine
    from experiments.bench.history import recorded
    from experiments.bench.report import to_rich

    with error_console().status("simulating"):
        run = recorded("bench-engine", requests, record, lambda: bench_engine(requests, full=full))
    _say(run)
    if as_json:
        print_json({**run.found, "previous": run.previous})
    else:
        output_console().print(to_rich(run.found, run.previous))


@bench.command("service")
def service(
    requests: Annotated[int, typer.Option("--requests", min=1_000, help="Requests per simulation.")] = 20_000,
    as_json: Json = False,
) -> None:
    """Microseconds per call of each form of service model, and the engine on a device of each."""
    from experiments.bench.report import service_to_rich
    from experiments.bench.service import bench_service

    with error_console().status("timing"):
        found = bench_service(requests)
    if as_json:
        print_json(found)
    else:
        output_console().print(service_to_rich(found))


@bench.command("fleet")
def fleet(
    requests: Annotated[int, typer.Option("--requests", min=1_000, help="Requests per simulation.")] = 20_000,
    router: Annotated[
        list[str] | None,
        typer.Option("--router", help="Router or fleet system; repeat it. Default: all, and PolyServe."),
    ] = None,
    instances: Annotated[
        list[int] | None, typer.Option("--instances", min=1, max=10_000, help="Size of a fleet; repeat it.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Also 1,000,000 requests on 1,000 instances: time and peak memory.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Simulated requests per second of fleets by size and router, beside bare SimPy timeouts."""
    from experiments.bench.fleet import SIZES, bench_fleet
    from experiments.bench.report import fleet_to_rich

    with error_console().status("simulating"):
        found = bench_fleet(requests, router or (), instances or SIZES, full=full)
    if as_json:
        print_json(found)
    else:
        output_console().print(fleet_to_rich(found))


@bench.command("bounds")
def bounds(
    requests: Annotated[int, typer.Option("--requests", min=2, help="Requests on the path.")] = 100_000,
    modes: Annotated[int, typer.Option("--modes", min=1_000, help="Modes of the mode LP.")] = 10_000,
    record: Record = True,
    as_json: Json = False,
) -> None:
    """Wall time and peak memory of the bounds, each in a process of its own, beside their targets."""
    from experiments.bench.bounds import bench_bounds
    from experiments.bench.history import recorded
    from experiments.bench.report import bounds_to_rich

    with error_console().status("bounding"):
        run = recorded("bench-bounds", requests, record, lambda: bench_bounds(requests, modes))
    _say(run)
    if as_json:
        print_json({**run.found, "previous": run.previous})
    else:
        output_console().print(bounds_to_rich(run.found, run.previous))


def _say(run: Recorded) -> None:
    if run.note:
        error_console().out(f"note: {run.note}", highlight=False)
