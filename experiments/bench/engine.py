"""Speed of the engine in simulated requests per second and in SimPy timeouts per request."""

from __future__ import annotations

import math
from typing import Any

from experiments.bench.cases import FLEET64, MC_SF, MILLION, NESTED, SINGLE, WAIT
from experiments.bench.yardstick import TIMEOUTS, simpy_timeouts_per_s

REPEATS = 3
"""Runs of each case; the fastest is the one least disturbed by others on the machine."""


def bench_engine(requests: int = 100_000, *, full: bool = False) -> dict[str, Any]:
    """Time the engine on the reference instance at load 0.9 (Nested WAIT: 0.5), on one core.

    Everything here runs on one thread and waits for nothing, so seconds are CPU seconds of this process: what
    else runs on the machine then disturbs them least.

    Parameters
    ----------
    requests : int
        Per simulation.
    full : bool
        Also simulate 1,000,000 requests, for peak memory, and scale up to them.

    Returns
    -------
    dict
        ``single_requests_per_s`` (vLLM v1), ``wait_requests_per_s``, ``nested_requests_per_s`` (Nested WAIT),
        ``mc_sf_requests_per_s``, ``fleet64_requests_per_s`` (64 instances, vLLM v1, JSQ), ``simpy_timeouts_per_s``;
        the same as timeouts per request;
        ``time_ratio_10x``, the time of ten times as many requests, and ``scaling_exponent``, its decimal
        logarithm; with `full` also ``million_peak_mib``.
    """
    SINGLE.seconds(1_000)  # imports and caches
    timeouts = min(TIMEOUTS, 2 * requests)
    yardstick = simpy_timeouts_per_s(timeouts)
    cases = {"single": SINGLE, "wait": WAIT, "nested": NESTED, "mc_sf": MC_SF, "fleet64": FLEET64}
    speeds = {name: requests / case.seconds(requests, REPEATS) for name, case in cases.items()}
    yardstick = max(yardstick, simpy_timeouts_per_s(timeouts))
    large = MILLION if full else 2 * requests
    ratio = SINGLE.seconds(large, 2) / SINGLE.seconds(large // 10, 2)
    found = {
        "requests": requests,
        **{f"{name}_requests_per_s": speed for name, speed in speeds.items()},
        "simpy_timeouts_per_s": yardstick,
        **{f"{name}_timeouts_per_request": yardstick / speed for name, speed in speeds.items()},
        "time_ratio_10x": ratio,
        "scaling_exponent": math.log10(ratio),
    }
    if full:
        from experiments.bench.memory import peak_mib

        found["million_peak_mib"] = peak_mib(MILLION)
    return found
