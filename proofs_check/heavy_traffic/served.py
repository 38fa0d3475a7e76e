"""What became of the arrivals of a path, and what it amounts to at a horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orsched.engine.simulation import simulate
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.work import Floats, Ints
from proofs_check.heavy_traffic.paths import ArrivalPath

METRICS = (
    "throughput",
    "throughput_gap",
    "throughput_shortfall",
    "latency_mean",
    "ttft_mean",
    "evictions",
    "after_last_arrival",
)
"""Metrics of a study; see `measure`."""

ALL = "all"
"""Label of the sum over types."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A path and what became of its arrivals; arrays of shape ``(n,)`` in order of arrival.

    Parameters
    ----------
    path : ArrivalPath
        The arrivals.
    first_token_s, completion_s : ndarray of float64
        End of the prefill iteration, end of the last decode iteration, seconds.
    evictions : ndarray of int64
        Times each arrival lost its KV memory.
    """

    path: ArrivalPath
    first_token_s: Floats
    completion_s: Floats
    evictions: Ints


def serve(path: ArrivalPath, fleet: Fleet, policy: Policy, seed: int = 0) -> Served:
    """Run the engine on a path; `seed` is of the policy's own random streams."""
    run = simulate(path.workload(), fleet, policy, seed)
    return Served(path, run.first_token_s, run.completion_s, run.preemptions)


def measure(served: Served, horizon_s: float) -> dict[tuple[str, str], float]:
    """Metrics of the horizon ``[0, horizon_s)`` by type label and metric.

    - ``throughput``: decode tokens of prompts completed within the horizon, per second (tokens lost to evictions do not
      count, those of prompts still in progress neither).
    - ``throughput_gap``: ``sum_j lambda_j l'_j`` minus its expectation, estimated without the noise of the arrivals:
      decode tokens that arrived within the horizon in prompts not completed by its end, per second. The two have the
      same expectation, because the tokens that arrive have the mean ``horizon_s sum_j lambda_j l'_j``.
    - ``throughput_shortfall``: ``sum_j lambda_j l'_j`` minus ``throughput``, the gap as it stands. It has the smaller
      noise where the server and not the arrivals decide how much is completed, that is where the gap does not vanish.
    - ``latency_mean``, ``ttft_mean``: seconds from arrival to completion and to the end of the prefill, mean over the
      arrivals of the horizon, however long they take. On the unscaled clock these are the service-normalised ones.
    - ``evictions``: how often arrivals of the horizon lost their KV memory.
    - ``after_last_arrival``: share of the arrivals of the horizon that complete after the path's last arrival; above 0,
      the end of the path has had a say in the numbers.

    Raises
    ------
    InputError
        When a type has no arrival within the horizon.
    """
    path = served.path
    arrived = int(np.searchsorted(path.arrival_s, horizon_s, side="left"))
    kinds, arrivals = path.kind[:arrived], path.arrival_s[:arrived]
    completion, tokens = served.completion_s[:arrived], path.decode_steps[:arrived]
    columns = {
        "throughput": np.where(completion <= horizon_s, tokens, 0) / horizon_s,
        "throughput_gap": np.where(completion <= horizon_s, 0, tokens) / horizon_s,
        "latency_mean": completion - arrivals,
        "ttft_mean": served.first_token_s[:arrived] - arrivals,
        "evictions": served.evictions[:arrived],
        "after_last_arrival": completion > path.arrival_s[-1],
    }
    found = {}
    offered = [kind.rate_per_s * kind.decode_steps for kind in path.types]
    for label in (ALL, *map(str, range(len(path.types)))):
        mine = slice(None) if label == ALL else kinds == int(label)
        if not len(arrivals[mine]):
            raise InputError(f"no arrival of type {label} within {horizon_s:.6g} s: give a longer horizon")
        for metric, column in columns.items():
            summed = metric in ("throughput", "throughput_gap", "evictions")
            found[label, metric] = float(column[mine].sum() if summed else column[mine].mean())
        load = sum(offered) if label == ALL else offered[int(label)]
        found[label, "throughput_shortfall"] = load - found[label, "throughput"]
    return found
