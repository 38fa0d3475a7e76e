"""``orsched trajectory``: the fluid path over a simulated sample path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json
from experiments.orders.following import LOAD, REQUESTS, WINDOW_S, following_order

OwnLoad = Annotated[
    float | None, typer.Option("--load", help=f"Load of the workload's own arrivals. Default: {LOAD:g}.")
]
OwnRequests = Annotated[
    int | None, typer.Option("--requests", help=f"Requests of the workload's own arrivals. Default: {REQUESTS}.")
]
Window = Annotated[
    float | None,
    typer.Option("--window", help=f"Seconds in which their rate and lengths are counted. Default: {WINDOW_S:g}."),
]
Rates = Annotated[
    str | None,
    typer.Option("--rates", help="Poisson arrivals instead, as steps of start (s) and rate (1/s): 0:2,60:8,120:2."),
]
Period = Annotated[float | None, typer.Option("--period", help="With --rates: the steps repeat after so many seconds.")]
Duration = Annotated[float | None, typer.Option("--duration", help="With --rates: seconds of arrivals.")]
Figure = Annotated[Path | None, typer.Option("--out", help="Also draw both paths: a .png or .svg file.")]


def trajectory(
    workload: options.WorkloadName = options.WORKLOAD,
    hardware: options.HardwareName = options.HARDWARE,
    policy: Annotated[str, typer.Option("--policy", help="vllm-v1 or sarathi.")] = "vllm-v1",
    load: OwnLoad = None,
    requests: OwnRequests = None,
    window: Window = None,
    rates: Rates = None,
    period: Period = None,
    duration: Duration = None,
    seed: options.Seed = 0,
    instances: options.Instances = 1,
    drop_oversized: options.DropOversized = False,
    out: Figure = None,
    as_json: options.Json = False,
) -> None:
    """Follow the fluid path of a time-varying arrival rate beside a simulated sample path."""
    from experiments.render.files import require_writable
    from experiments.render.trajectory import ENDINGS, to_rich, write_trajectory

    if out is not None:
        require_writable(out, ENDINGS)
    with error_console().status("following"):
        found = following_order(
            workload=workload,
            hardware=hardware,
            policy=policy,
            load=load,
            requests=requests,
            window=window,
            rates=rates,
            period=period,
            duration=duration,
            seed=seed,
            instances=instances,
            drop_oversized=drop_oversized,
        )
    if out is not None:
        write_trajectory(found, out)
        error_console().out(f"wrote {out}", highlight=False)
    if as_json:
        print_json(found.to_json())
    else:
        output_console().print(to_rich(found))
