"""What no policy can do (arXiv 2504.11320): complete more than is offered or the GPU can, and be stable beyond."""

from __future__ import annotations

from functools import partial

import numpy as np

from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.run import Run
from policies import build
from policies.wait import Waiting
from proofs_check.claim import Claim
from proofs_check.heavy_traffic import PromptType, linear_hardware, offered_tokens_per_s, scaling_study
from proofs_check.heavy_traffic.paths import ArrivalPath
from proofs_check.heavy_traffic.thresholds import typed
from proofs_check.rules import Always, Instance, OnAverage, Once
from proofs_check.wait_exponents import ERROR, exponent_slack, exponents, touched_by_end
from proofs_check.wait_systems import PAPER, cycle_of, hardware_of, path_of, random_system, types_of

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
    work, fleet = path.workload(), Fleet(hardware_of(x))
    waiting = typed(Waiting(tuple(x["thresholds"])), types_of(x))
    return path, simulate(work, fleet, waiting if x["policy"] == WAIT else build(x["policy"], work, fleet))


def offered_slack(x: Instance, share: float) -> float:
    """`share` of the offered load less the throughput of completed prompts, over the offered load."""
    path, run = run_of(x)
    horizon, offered = x["horizon_cycles"] * cycle_of(x), offered_tokens_per_s(types_of(x))
    done = float(path.decode_steps[run.completion_s <= horizon].sum())
    return float(share - done / horizon / offered)


def completions_slack(x: Instance, overhead: float) -> float:
    """Least relative room, over completions, below ``t / (d1 S + overhead d0 / B_C)``, with ``B_C = C / l``."""
    _, run = run_of(x)
    (kind,) = types_of(x)
    batch = x["C"] // kind.prompt_tokens
    each_s = x["d1"] * kind.volume + overhead * x["d0"] / batch
    completions = np.sort(run.completion_s)
    count = np.searchsorted(completions, completions, side="right")
    return float((1 - count * each_s / completions).min())


RHO = 1.5
_UNSTABLE = ("vllm-v0", "vllm-v1", "sarathi", "sjf", "mc-sf")


def _unstable(rng: np.random.Generator, policies: tuple[str, ...], replications: int, horizon: float) -> Instance:
    """The toy of one type (l = l' = 1, S = 3, C = 12) at ``rho = 1.5``, several policies."""
    types = [PromptType(1.0, 1, 1)]
    hardware = linear_hardware(0.1, RHO / 3, 12)
    seed = int(rng.integers(2**32))
    slopes, touched = {}, []
    for name in policies:
        study = scaling_study(types, hardware, name, (1, 2, 4, 8, 16), replications, seed, horizon_s=horizon)
        slopes.update(exponents(study, [("latency_mean", "all")], f"{name}: ", len(policies)))
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
        "wait-offered-load",
        "E[Throughput] <= sum_j lambda_j l'_j for every online policy",
        f"{PAPER}, upper bound on throughput",
        served_system,
        partial(offered_slack, share=1.0),
        OnAverage(0.02, 4_096, 512),
    ),
    Claim(
        "wait-completions-cap",
        "completions by t <= t / (d1 S + d0 / B_C), B_C = C / l, one type, every policy, path by path",
        f"{PAPER}, instability (its O(1) is 0 for a system that starts empty)",
        overloaded_system,
        partial(completions_slack, overhead=1.0),
        Always(300, 25),
    ),
    Claim(
        "wait-instability",
        "d1 lambda S >= 1: E[Latency] grows like T under every policy; exponents within 0.15 of 1",
        f"{PAPER}, instability",
        partial(_unstable, policies=_UNSTABLE, replications=16, horizon=400.0),
        partial(growth_slack, exponent=1.0),
        Once(1 - ERROR),
        quick_sample=partial(_unstable, policies=("vllm-v1",), replications=12, horizon=500.0),
    ),
)
