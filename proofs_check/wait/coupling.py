"""WAIT on the engine against its embedded process: backlog, unfinished work and throughput gap, path by path."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.run import Run
from orsched.work import Floats, Ints
from policies.wait import Waiting
from proofs_check.claim import Claim
from proofs_check.heavy_traffic import offered_tokens_per_s
from proofs_check.heavy_traffic.cohorts import serve_cohorts
from proofs_check.heavy_traffic.paths import ArrivalPath
from proofs_check.heavy_traffic.thresholds import typed
from proofs_check.rules import Always, Each, Instance, OnAverage
from proofs_check.wait.systems import (
    PAPER,
    SYSTEMS,
    cycle_of,
    fixed_system,
    hardware_of,
    path_of,
    random_system,
    types_of,
)

SOURCE = f"{PAPER}, proof of the WAIT theorem"


def backlogs(arrivals: Ints, threshold: int) -> Ints:
    """Embedded process after each review, ``W' = W + X - n 1{W + X >= n}`` from ``W = 0``.

    Parameters
    ----------
    arrivals : ndarray of int64, shape (reviews,)
        ``X``, arrivals of the type between two reviews.
    threshold : int
        ``n``.

    Returns
    -------
    ndarray of int64, shape (reviews,)
    """
    waiting, after = 0, []
    for arrived in arrivals.tolist():
        waiting += arrived
        if waiting >= threshold:
            waiting -= threshold
        after.append(waiting)
    return np.array(after, dtype=np.int64)


def _run(x: Instance) -> tuple[ArrivalPath, Run]:
    """The path, going on for some reviews beyond the horizon, and WAIT's run on it."""
    path = path_of(x, beyond_s=_BEYOND * cycle_of(x))
    return path, simulate(
        path.workload(), Fleet.identical(hardware_of(x)), typed(Waiting(tuple(x["thresholds"])), types_of(x))
    )


_BEYOND = 3
"""Reviews beyond the horizon with arrivals: before the horizon nothing knows that the path will end."""


def _embedded(x: Instance, path: ArrivalPath, kind: int) -> tuple[Floats, Ints, Ints]:
    """Times of the reviews within the horizon, the type's arrivals in each interval and its backlog after each."""
    reviews = int(x["horizon_cycles"])
    times = np.arange(1, reviews + 1) * cycle_of(x)
    counted = np.searchsorted(path.arrival_s[path.kind == kind], times, side="right")
    arrivals = np.diff(counted, prepend=0)
    return np.asarray(times), np.asarray(arrivals), backlogs(arrivals, x["thresholds"][kind])


def backlog_slack(x: Instance, lag: int) -> float:
    """Least room below the embedded bound of prompts that wait on the engine at a review, `lag` intervals earlier."""
    path, run = _run(x)
    slack = math.inf
    for j in range(len(x["thresholds"])):
        mine = path.kind == j
        times, arrivals, after = _embedded(x, path, j)
        waiting = happened(path.arrival_s[mine], times) - happened(run.first_scheduled_s[mine], times)
        bound = after if lag == 0 else np.append(0, after[:-1]) + arrivals
        slack = min(slack, float((bound - waiting).min()))
    return slack


def unfinished_slack(x: Instance, cohorts: int) -> float:
    """Room of prompts not complete at T below ``W_j(B) + partial + (l'_j + cohorts) n_j``, least over types."""
    path, run = _run(x)
    horizon = x["horizon_cycles"] * cycle_of(x)
    slack = math.inf
    for j, kind in enumerate(types_of(x)):
        mine = path.kind == j
        times, _, after = _embedded(x, path, j)
        arrived = happened(path.arrival_s[mine], np.array([times[-1], horizon]))
        unfinished = arrived[1] - happened(run.completion_s[mine], np.array([horizon]))[0]
        stages = (kind.decode_steps + cohorts) * x["thresholds"][j]
        slack = min(slack, float(after[-1] + arrived[1] - arrived[0] + stages - unfinished))
    return slack


def gap_slack(x: Instance, share: float) -> float:
    """Room of a run's gap below `share` of the explicit bound, over offered tokens per second."""
    path, run = _run(x)
    horizon, cycle = x["horizon_cycles"] * cycle_of(x), cycle_of(x)
    reviews = int(x["horizon_cycles"])
    done = float(path.decode_steps[run.completion_s <= horizon].sum())
    offered = offered_tokens_per_s(types_of(x))
    bound = sum(
        kind.decode_steps * (n + 2 * math.sqrt(n * reviews) + kind.rate_per_s * cycle + (kind.decode_steps + 2) * n)
        for kind, n in zip(types_of(x), x["thresholds"], strict=True)
    )
    return float((share * bound / horizon - (offered - done / horizon)) / offered)


def happened(events_s: Floats, times_s: Floats) -> Ints:
    """How many of the events have happened by each time."""
    return np.asarray(np.searchsorted(np.sort(events_s), times_s, side="right"))


def _one_type(rng: np.random.Generator) -> Instance:
    while len((x := random_system(rng))["thresholds"]) > 1:
        pass
    return x


def recursion_slack(x: Instance, growth: float) -> float:
    """Minus the largest distance of the engine's completions from the recursion's with ``growth d1``, over Delta^pi."""
    path, run = _run(x)
    (threshold,) = x["thresholds"]
    found = serve_cohorts(path, threshold, x["d0"], growth * x["d1"])
    before_end = found.completion_s <= path.arrival_s[-1]
    distance = np.abs(found.completion_s - run.completion_s)[before_end]
    return -float(distance.max(initial=0.0)) / cycle_of(x)


def _claim(name: str, statement: str, slack: Callable[[Instance], float]) -> Claim:
    return Claim(name, statement, SOURCE, random_system, slack, Always(300, 25))


CLAIMS = (
    _claim(
        "wait-coupled-backlog",
        "at the k-th review at most W_{k-1} + X_k prompts of a type wait on the engine: cohorts start at most one "
        "review interval after the embedded process",
        partial(backlog_slack, lag=1),
    ),
    _claim(
        "wait-unfinished",
        "at T at most W_j(B) + (arrivals of the last partial interval) + (l'_j + 2) n_j prompts of type j are not "
        "complete (the finite-horizon gap, path by path: ours)",
        partial(unfinished_slack, cohorts=2),
    ),
    Claim(
        "wait-finite-horizon-gap",
        "sum lambda l' - E[Throughput] <= sum_j l'_j (n_j + 2 sqrt(n_j B) + lambda_j Delta^pi + (l'_j + 2) n_j) / T, "
        f"in each of {SYSTEMS} systems",
        f"{SOURCE}: finite-horizon gap, with its bound on E[W_j(B)] put in",
        partial(fixed_system, most=SYSTEMS),
        partial(gap_slack, share=1.0),
        Each(lambda error: OnAverage(0.02, 1_024, 256, error), SYSTEMS, 2),
        quick_sample=partial(fixed_system, most=2),
    ),
    Claim(
        "wait-one-type-recursion",
        "with one type, cohort k starts at s_k = max(a_{(k+1)n-1}, s_{k-1} + d_{k-1})",
        f"{PAPER}, Algorithm 1 (recursion ours); the engine and the recursion agree to rounding",
        _one_type,
        partial(recursion_slack, growth=1.0),
        Always(200, 25),
    ),
)
