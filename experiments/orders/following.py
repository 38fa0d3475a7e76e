"""What ``orsched trajectory`` is asked for, and its two paths."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.orders.fleets import fleet_of
from experiments.orders.values import names_of
from orsched.errors import InputError

if TYPE_CHECKING:
    from experiments.paths.source import WorkloadLike
    from experiments.trajectory.following import Following
    from fluid.trajectory import RateProfile
    from orsched.catalogue import Hardware
    from orsched.fleet import Fleet
    from orsched.policy import Policy

LOAD, REQUESTS, WINDOW_S = 0.9, 2_000, 30.0
"""Of the workload's own arrivals, unless others are asked for."""

Rates = str | Iterable[tuple[float, float]]
"""Steps of start (s) and rate (1/s), as a text ``0:2,60:8`` or in pairs."""


def following_order(
    *,
    workload: WorkloadLike,
    hardware: str | Path | Hardware | Fleet,
    policy: str | Policy,
    load: float | None,
    requests: int | None,
    window: float | None,
    rates: Rates | None,
    period: float | None,
    duration: float | None,
    seed: int,
    instances: int,
    drop_oversized: bool,
) -> Following:
    """Follow the fluid path beside a simulated one, from the options of ``orsched trajectory``.

    Raises
    ------
    InputError
        For options without effect: arrivals are the workload's own, or Poisson at given rates; and as for
        `experiments.trajectory.following.following`.
    """
    from experiments.comparison.experiment import Experiment
    from experiments.trajectory.arrivals import at_rates, own_arrivals
    from experiments.trajectory.following import following, require_alike

    _require_one_kind(
        {"--load": load, "--requests": requests, "--window": window},
        rates,
        {"--period": period, "--duration": duration},
    )
    fleet = fleet_of(hardware, instances)
    require_alike(fleet)
    experiment = Experiment(
        workload=workload,
        fleet=fleet,
        policies=(policy,),
        loads=(LOAD if load is None else load,),
        requests=REQUESTS if requests is None else requests,
        replications=1,
        seed=seed,
        drop_oversized=drop_oversized,
    )
    if rates is None:
        path, inflow = own_arrivals(experiment, WINDOW_S if window is None else window)
    else:
        path, inflow = at_rates(experiment, _profile(rates, period, duration))
    return following(experiment, path, inflow)


def _require_one_kind(own: dict[str, object], rates: Rates | None, given: dict[str, object]) -> None:
    if rates is None:
        idle = [name for name, value in given.items() if value is not None]
        if idle:
            raise InputError(f"{idle[0]} goes with --rates; without it the arrivals are the workload's own")
        return
    idle = [name for name, value in own.items() if value is not None]
    if idle:
        raise InputError(f"{idle[0]} is for the workload's own arrivals; leave it out or leave out --rates")


def _profile(rates: Rates, period: float | None, duration: float | None) -> RateProfile:
    from fluid.trajectory import RateProfile

    if duration is None or not 0 < duration < math.inf:
        raise InputError("--rates needs --duration, a positive, finite number of seconds of arrivals")
    steps = [_step(text) for text in names_of(rates)] if isinstance(rates, str) else [_pair(step) for step in rates]
    return RateProfile(tuple(start for start, _ in steps), tuple(rate for _, rate in steps), period, duration)


def _step(text: str) -> tuple[float, float]:
    start, _, rate = text.partition(":")
    try:
        return float(start), float(rate)
    except ValueError:
        raise InputError(f"--rates {text!r}: must be a start and a rate, as in 60:8") from None


def _pair(step: tuple[float, float]) -> tuple[float, float]:
    try:
        start, rate = step
        return float(start), float(rate)
    except (TypeError, ValueError):
        raise InputError(f"--rates {step!r}: must be a start and a rate, as in (60, 8)") from None
