"""``orsched heavy-traffic``: how gap and delay of a policy scale with the horizon at fixed memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json
from experiments.orders.scaling import BALANCED_TOY, D0, D1, KV, SCALES, scaling_order

Types = Annotated[
    list[str],
    typer.Option("--type", help="A type as RATE:PROMPT:DECODE (1/s, tokens, decode steps). Repeat it for several."),
]
Thresholds = Annotated[
    str | None,
    typer.Option(
        "--thresholds",
        help="WAIT only: one number per type, as 4,2; or critical (no slack), or slack. Default: critical.",
    ),
]
Horizon = Annotated[
    float | None, typer.Option("--horizon", help="Seconds at scale 1. Default: those of 256 arrivals on average.")
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Also write the table (.csv, .parquet) or a figure (.png, .svg).")
]

TOY = list(BALANCED_TOY)


def heavy_traffic(
    types: Types = TOY,
    d0: Annotated[float, typer.Option("--d0", help="Seconds of an empty iteration.")] = D0,
    d1: Annotated[float, typer.Option("--d1", help="Seconds per KV token of the batch.")] = D1,
    kv: Annotated[int, typer.Option("--kv", help="KV tokens that fit.")] = KV,
    policy: Annotated[str, typer.Option("--policy", help="A name from `orsched list policies`.")] = "wait",
    thresholds: Thresholds = None,
    scales: Annotated[str, typer.Option("--scales", help="The scales, separated by commas.")] = SCALES,
    horizon: Horizon = None,
    replications: options.Replications = 20,
    seed: options.Seed = 0,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Scale rates up and iteration times down at fixed memory: throughput gap, delay, their log-log slopes."""
    from experiments.progress import progress_bar
    from experiments.render.files import require_writable
    from experiments.render.heavy_traffic import ENDINGS, to_rich, write_scaling

    if out is not None:
        require_writable(out, ENDINGS)
    with progress_bar(error_console(), "replications", replications) as advance:
        found = scaling_order(
            types,
            d0=d0,
            d1=d1,
            kv=kv,
            policy=policy,
            thresholds=thresholds,
            scales=scales,
            horizon=horizon,
            replications=replications,
            seed=seed,
            on_path_done=advance,
        )
    if out is not None:
        write_scaling(found, out)
        error_console().out(f"wrote {out}", highlight=False)
    if as_json:
        print_json(found.to_json())
    else:
        output_console().print(to_rich(found))
