"""``orsched hindsight``: MC-SF against the hindsight optimum."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.consoles import error_console, output_console, print_json
from experiments.cli.options import Json, Seed


def hindsight(
    law: Annotated[str, typer.Option("--law", help="burst (all at round 0) or poisson.")] = "burst",
    instances: Annotated[int, typer.Option("--instances", help="Instances to draw.")] = 20,
    seed: Seed = 0,
    time_limit: Annotated[float, typer.Option("--time-limit", help="Seconds per instance.")] = 60.0,
    method: Annotated[
        str, typer.Option("--method", help="portfolio, lagrangian, highs or cp-sat (needs the extra `cp`).")
    ] = "portfolio",
    as_json: Json = False,
) -> None:
    """Solve the published synthetic instances in hindsight: proved gaps, and MC-SF over the best schedule."""
    from experiments.hindsight import get_law, study
    from experiments.hindsight.table import to_rich
    from experiments.progress import progress_bar

    with progress_bar(error_console(), "instances", instances) as advance:
        found = study(get_law(law), instances, seed=seed, time_limit_s=time_limit, method=method, on_done=advance)
    if as_json:
        print_json(found.to_json())
    else:
        output_console().print(to_rich(found))
