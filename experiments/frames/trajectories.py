"""``orsched trajectory`` as a call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.orders.arguments import taken
from experiments.orders.defaults import HARDWARE, WORKLOAD
from experiments.orders.following import Rates, following_order

if TYPE_CHECKING:
    import pandas as pd

    from experiments.paths.source import WorkloadLike
    from orsched.catalogue import Hardware
    from orsched.fleet import Fleet
    from orsched.policy import Policy


@taken
def trajectory(
    *,
    workload: WorkloadLike = WORKLOAD,
    hardware: str | Path | Hardware | Fleet = HARDWARE,
    policy: str | Policy = "vllm-v1",
    load: float | None = None,
    requests: int | None = None,
    window: float | None = None,
    rates: Rates | None = None,
    period: float | None = None,
    duration: float | None = None,
    seed: int = 0,
    instances: int = 1,
    drop_oversized: bool = False,
) -> pd.DataFrame:
    """Follow the fluid path of a time-varying arrival rate beside a simulated sample path.

    Parameters
    ----------
    workload, hardware, seed, instances, drop_oversized
        As for `experiments.frames.evaluate`.
    policy : str or Policy
        First come first served under one token budget: vllm-v1 or sarathi.
    load : float, optional
        Load of the workload's own arrivals, by default 0.9.
    requests : int, optional
        How many of them, by default 2000.
    window : float, optional
        Seconds in which their rate and lengths are counted, by default 30.
    rates : str or sequence of pairs, optional
        Poisson arrivals instead: steps of start (s) and rate (1/s), ``"0:2,60:8"`` or ``[(0, 2), (60, 8)]``.
    period, duration : float, optional
        With `rates`: the steps repeat after so many seconds; seconds of arrivals.

    Returns
    -------
    pandas.DataFrame
        One row per instant: t_s (seconds), and for both paths in_system and waiting (requests) and kv_tokens (tokens),
        as ``fluid_in_system``; averages, rates and the facts of the run in ``attrs``.

    Raises
    ------
    InputError
        As ``orsched trajectory`` for the same options.
    """
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
    return found.frame()
