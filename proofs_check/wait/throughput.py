"""What no policy can do (arXiv 2504.11320): complete more than is offered or the GPU can, and be stable beyond."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np

from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.run import Run
from policies import build
from policies.wait import Waiting
from proofs_check.claim import Claim
from proofs_check.heavy_traffic import ALL, PromptType, linear_hardware, offered_tokens_per_s, scaling_study
from proofs_check.heavy_traffic.paths import ArrivalPath
from proofs_check.heavy_traffic.thresholds import typed
from proofs_check.rules import Always, Each, Instance, Near, Once
from proofs_check.wait.exponents import ERROR, exponent_slack, exponents, touched_by_end
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

WAIT = "wait with its thresholds"
SERVED_BY = ("vllm-v0", "vllm-v1", "sarathi", "orca", "sjf", "mc-sf", "srpt", WAIT)
"""First come first served with and without eviction, shortest first, and WAIT."""


def served_system(rng: np.random.Generator) -> Instance:
    """A random system of WAIT, served by a random policy."""
    return {**random_system(rng), "policy": str(rng.choice(SERVED_BY))}


def overloaded_system(rng: np.random.Generator) -> Instance:
    """One type, its rate multiplied so that ``d1 lambda S`` is 0.5 to 2."""
    while len((x := served_system(rng))["thresholds"]) > 1:
        pass
    (kind,) = types_of(x)
    rho = float(rng.uniform(0.5, 2.0))
    return {**x, "rates": [rho / (x["d1"] * kind.volume)], "horizon_cycles": float(rng.uniform(5, 60))}


def run_of(x: Instance) -> tuple[ArrivalPath, Run]:
    """The system's path up to its horizon, and what its policy makes of it."""
    path = path_of(x)
    work, fleet = path.workload(), Fleet.identical(hardware_of(x))
    waiting = typed(Waiting(tuple(x["thresholds"])), types_of(x))
    return path, simulate(work, fleet, waiting if x["policy"] == WAIT else build(x["policy"], work, fleet))


def arrived_slack(x: Instance, share: float) -> float:
    """Least room, over completions, of completed decode tokens below `share` of those arrived, over all there are."""
    path, run = run_of(x)
    by_end = np.argsort(run.completion_s, kind="stable")
    times = run.completion_s[by_end]
    counts = np.searchsorted(times, times, side="right")
    completed = np.cumsum(path.decode_steps[by_end])[counts - 1]
    there = np.searchsorted(path.arrival_s, times, side="right")
    arrived = np.concatenate([[0], np.cumsum(path.decode_steps)])[there]
    return float((share * arrived - completed).min() / path.decode_steps.sum())


def offered_slack(x: Instance, share: float) -> float:
    """Decode tokens that arrived by the horizon, per second, relative to `share` of the load, minus 1."""
    arrived = float(path_of(x).decode_steps.sum())
    return float(arrived / (x["horizon_cycles"] * cycle_of(x) * share * offered_tokens_per_s(types_of(x))) - 1)


def completions_slack(x: Instance, overhead: float, stages: bool) -> float:
    """Least relative room, over completions, below ``t / (d1 S + overhead d0 / B_C)``, with ``B_C = C / l``.

    `stages`: with ``overhead (l' + 1)`` for the overhead.
    """
    _, run = run_of(x)
    (kind,) = types_of(x)
    batch = x["C"] // kind.prompt_tokens
    iterations = kind.decode_steps + 1 if stages else 1
    each_s = x["d1"] * kind.volume + overhead * iterations * x["d0"] / batch
    completions = np.sort(run.completion_s)
    count = np.searchsorted(completions, completions, side="right")
    return float((1 - count * each_s / completions).min())


_UNSTABLE = ("vllm-v0", "vllm-v1", "sarathi", "sjf", "mc-sf", WAIT)


def _unstable(
    rng: np.random.Generator, policies: tuple[str, ...], rhos: tuple[float, ...], replications: int, horizon: float
) -> Instance:
    """The toy of one type (l = l' = 1, S = 3, C = 12, thresholds of WAIT 4) at several rho, several policies."""
    types = [PromptType(1.0, 1, 1)]
    seed = int(rng.integers(2**32))
    slopes, touched = {}, []
    for name, rho in product(policies, rhos):
        policy = typed(Waiting((4,)), types) if name == WAIT else name
        hardware = linear_hardware(3.0, rho / 3, 12)
        study = scaling_study(types, hardware, policy, (1, 2, 4, 8, 16), replications, seed, horizon_s=horizon)
        wanted = [("latency_mean", ALL)]
        slopes.update(exponents(study, wanted, f"{name}, rho = {rho}: ", len(policies) * len(rhos)))
        touched.append(touched_by_end(study))
    return {"seed": seed, "replications": replications, "slopes": slopes, "completed_after_last_arrival": max(touched)}


def growth_slack(x: Instance, exponent: float) -> float:
    """Exponents of all policies against one.

    In overload some of what is measured always completes after the last arrival; these policies do not look for the
    end, and it can only shorten delays.
    """
    return exponent_slack({**x, "touched_by_end": 0.0}, dict.fromkeys(x["slopes"], exponent))


CLAIMS = (
    Claim(
        "wait-arrived-tokens",
        "the decode tokens of the prompts completed by t are at most those arrived by t, at any t, on any path, under "
        "any policy",
        f"{PAPER}, upper bound on throughput: with wait-offered-load, E[Throughput] <= sum_j lambda_j l'_j",
        served_system,
        partial(arrived_slack, share=1.0),
        Always(300, 25),
    ),
    Claim(
        "wait-offered-load",
        f"the mean of the decode tokens that arrive by T, over T, is sum_j lambda_j l'_j, in each of {SYSTEMS} systems",
        f"{PAPER}, upper bound on throughput: with wait-arrived-tokens, E[Throughput] <= sum_j lambda_j l'_j",
        partial(fixed_system, most=SYSTEMS),
        partial(offered_slack, share=1.0),
        Each(lambda error: Near(0.02, 65_536, 4_096, error), SYSTEMS, SYSTEMS),
    ),
    Claim(
        "wait-completions-cap",
        "completions by t <= t / (d1 S + d0 / B_C), B_C = C / l, one type, every policy, path by path",
        f"{PAPER}, instability (its O(1) is 0 for a system that starts empty)",
        overloaded_system,
        partial(completions_slack, overhead=1.0, stages=False),
        Always(300, 25),
    ),
    Claim(
        "wait-completions-cap-stages",
        "completions by t <= t / (d1 S + (l' + 1) d0 / B_C), B_C = C / l, one type, every policy, path by path",
        "ours: a prompt is in l' + 1 iterations, each with at most B_C prompts",
        overloaded_system,
        partial(completions_slack, overhead=1.0, stages=True),
        Always(300, 25),
    ),
    Claim(
        "wait-instability",
        "rho = d1 lambda S = 1 and 1.5: E[Latency] grows like T under vLLM v0 and v1, Sarathi-Serve, SJF, MC-SF and "
        "WAIT; exponents within 0.15 of 1",
        f"{PAPER}, instability for rho >= 1 under every policy",
        partial(_unstable, policies=_UNSTABLE, rhos=(1.0, 1.5), replications=16, horizon=400.0),
        partial(growth_slack, exponent=1.0),
        Once(1 - ERROR),
        quick_sample=partial(_unstable, policies=("vllm-v1", WAIT), rhos=(1.0,), replications=12, horizon=400.0),
    ),
)
