"""``orsched trajectory``: the fluid path over a simulated sample path."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json
from orsched.errors import InputError

if TYPE_CHECKING:
    from fluid.trajectory import RateProfile

LOAD, REQUESTS, WINDOW_S = 0.9, 2_000, 30.0

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
    from experiments.arrivals import at_rates, own_arrivals
    from experiments.experiment import Experiment
    from experiments.following import following
    from experiments.render.files import require_writable
    from experiments.render.trajectory import ENDINGS, to_rich, write_trajectory

    _require_one_kind(
        {"--load": load, "--requests": requests, "--window": window},
        rates,
        {"--period": period, "--duration": duration},
    )
    if out is not None:
        require_writable(out, ENDINGS)
    experiment = Experiment(
        workload=workload,
        fleet=options.fleet_of(hardware, instances),
        policies=(policy,),
        loads=(LOAD if load is None else load,),
        requests=REQUESTS if requests is None else requests,
        replications=1,
        seed=seed,
        drop_oversized=drop_oversized,
    )
    with error_console().status("following"):
        if rates is None:
            path, inflow = own_arrivals(experiment, WINDOW_S if window is None else window)
        else:
            path, inflow = at_rates(experiment, _profile(rates, period, duration))
        found = following(experiment, path, inflow)
    if out is not None:
        write_trajectory(found, out)
        error_console().out(f"wrote {out}", highlight=False)
    if as_json:
        print_json(found.to_json())
    else:
        output_console().print(to_rich(found))


def _require_one_kind(own: dict[str, object], rates: str | None, given: dict[str, object]) -> None:
    """Refuse options that would have no effect: arrivals are the workload's own or Poisson at given rates."""
    if rates is None:
        idle = [name for name, value in given.items() if value is not None]
        if idle:
            raise InputError(f"{idle[0]} goes with --rates; without it the arrivals are the workload's own")
        return
    idle = [name for name, value in own.items() if value is not None]
    if idle:
        raise InputError(f"{idle[0]} is for the workload's own arrivals; leave it out or leave out --rates")


def _profile(rates: str, period: float | None, duration: float | None) -> RateProfile:
    from fluid.trajectory import RateProfile

    if duration is None or not 0 < duration < math.inf:
        raise InputError("--rates needs --duration, a positive, finite number of seconds of arrivals")
    starts, values = [], []
    for step in options.split_names([rates]):
        start, _, rate = step.partition(":")
        try:
            starts.append(float(start))
            values.append(float(rate))
        except ValueError:
            raise InputError(f"--rates {step!r}: must be a start and a rate, as in 60:8") from None
    return RateProfile(tuple(starts), tuple(values), period, duration)
