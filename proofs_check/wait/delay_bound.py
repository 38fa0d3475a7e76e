"""The boundary ``C = M*``: the critical walk, and a backlog that no policy avoids (arXiv 2504.11320)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from orsched.work import Floats
from proofs_check.claim import Claim
from proofs_check.heavy_traffic import ALL, PromptType, linear_hardware, scaling_study
from proofs_check.heavy_traffic.laws import means_after, poisson_law, reflected
from proofs_check.rules import Always, Exhaustive, Instance, Once
from proofs_check.wait.exponents import ERROR, exponents, touched_by_end
from proofs_check.wait.systems import PAPER, types_of
from proofs_check.wait.throughput import run_of, served_system

SOURCE = f"{PAPER}, lower bound on delay at C = M*"
REVIEWS = 1_000


def _walks() -> Iterator[Instance]:
    return ({"n": n, "reviews": REVIEWS} for n in (2, 1, 3, 5, 8, 13))


def _walk_means(x: Instance) -> Floats:
    """``E[Q_B]``, B = 1 .. reviews, of ``Q' = (Q + Poisson(n) - n)^+`` from 0."""
    return means_after(0, poisson_law(float(x["n"])), reflected(x["n"], 0), x["reviews"])


def root_slack(x: Instance, factor: float) -> float:
    """Least room over B of ``E[Q_B]`` above ``factor sqrt(n B)``, in units of sqrt(n B)."""
    scale = np.sqrt(x["n"] * np.arange(1, x["reviews"] + 1))
    return float((_walk_means(x) / scale).min() - factor)


def spitzer_slack(x: Instance, shift: int) -> float:
    """Minus the largest relative distance of ``E[Q_B]`` from ``n sum_{k <= B} P(Poisson(n k) = n k - shift)``."""
    n, total, terms = x["n"], 0.0, []
    for k in range(1, x["reviews"] + 1):
        mean, count = float(n * k), n * k - shift
        total += math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
        terms.append(n * total)
    return -float(np.abs(_walk_means(x) / np.array(terms) - 1).max())


def least_work(times_s: Floats, arrivals_s: Floats, volumes: Floats, rate: float) -> Floats:
    """KV volume that the fastest server would still have to work off at each time.

    The reflected process that gains an arrival's volume ``S`` and loses `rate` token-iterations per second while there
    are any, from 0.

    Parameters
    ----------
    times_s : ndarray of float64, shape (t,)
        When to look, non-decreasing.
    arrivals_s, volumes : ndarray of float64, shape (n,)
        Arrival times in order, and ``S`` of each.
    rate : float
        Token-iterations per second.

    Returns
    -------
    ndarray of float64, shape (t,)
    """
    gained = np.concatenate([[0.0], np.cumsum(volumes)])
    free = gained[:-1] - rate * arrivals_s
    lowest = np.minimum.accumulate(np.minimum(free, 0.0))
    count = np.searchsorted(arrivals_s, times_s, side="right")
    level = gained[count] - rate * times_s
    before = np.where(count > 0, lowest[np.maximum(count - 1, 0)], 0.0)
    return np.asarray(level - np.minimum(level, before))


def backlog_slack(x: Instance, speed: float) -> float:
    """Least room of the volume of unfinished prompts above the work left of a server `speed` times as fast, over C."""
    path, run = run_of(x)
    volumes = np.array([float(kind.volume) for kind in types_of(x)])[path.kind]
    rate = speed * x["C"] / (x["d0"] + x["d1"] * x["C"])
    times = np.sort(np.concatenate([path.arrival_s, run.completion_s]))
    finished = np.argsort(run.completion_s)
    done = np.concatenate([[0.0], np.cumsum(volumes[finished])])
    arrived = np.concatenate([[0.0], np.cumsum(volumes)])
    unfinished = (
        arrived[np.searchsorted(path.arrival_s, times, side="right")]
        - done[np.searchsorted(run.completion_s[finished], times, side="right")]
    )
    return float((unfinished - least_work(times, path.arrival_s, volumes, rate)).min() / x["C"])


_POLICIES = ("vllm-v0", "vllm-v1")


def _boundary(rng: np.random.Generator, policies: tuple[str, ...], replications: int, horizon: float) -> Instance:
    """One type with l = l' = 1 and ``C = M* = 6``, ``n* = 2``, under several policies."""
    seed = int(rng.integers(2**32))
    slopes, touched = {}, 0.0
    for name in policies:
        study = scaling_study(
            [PromptType(2.0, 1, 1)],
            linear_hardware(0.94, 0.01, 6),
            name,
            (1, 3, 9, 27, 81),
            replications,
            seed,
            horizon_s=horizon,
        )
        wanted = [(metric, ALL) for metric in ("throughput_gap", "latency_mean", "ttft_mean")]
        slopes.update(exponents(study, wanted, f"{name}: ", len(wanted) * len(policies)))
        touched = max(touched, touched_by_end(study))
    return {"seed": seed, "replications": replications, "slopes": slopes, "touched_by_end": touched}


def delay_slack(x: Instance, exponent: float) -> float:
    """Room of the delays' exponents above `exponent`, for policies whose gap's exponent is below -1/4.

    Minus infinity when there is no such policy, or the end of the path has touched what was measured.
    """
    if x["touched_by_end"] > 0:
        return -math.inf
    slack = math.inf
    for name in {label.partition(": ")[0] for label in x["slopes"]}:
        gap, half = x["slopes"][f"{name}: throughput_gap"]
        if gap + half < -0.25:
            delays = [x["slopes"][f"{name}: {metric}"] for metric in ("latency_mean", "ttft_mean")]
            slack = min([slack, *(mean - width - exponent for mean, width in delays)])
    return slack if slack < math.inf else -math.inf


def _exact(name: str, statement: str, source: str, slack: Callable[[Instance], float]) -> Claim:
    return Claim(
        name,
        f"{statement}; exact, n = 1, 2, 3, 5, 8, 13, B <= {REVIEWS}",
        source,
        None,
        slack,
        Exhaustive(3, 1e-9),
        cases=_walks,
    )


CLAIMS = (
    _exact(
        "wait-critical-walk",
        "Q' = (Q + Poisson(n) - n)^+: E[Q_B] >= sqrt(n B) / 3",
        f"{SOURCE}: the critical walk is of the order of the root (constant ours)",
        partial(root_slack, factor=1 / 3),
    ),
    _exact(
        "wait-critical-walk-mean",
        "E[Q_B] = n sum_{k <= B} P(Poisson(n k) = n k)",
        "ours, by Spitzer's identity, for the critical walk of the lower bound",
        partial(spitzer_slack, shift=0),
    ),
    Claim(
        "wait-least-backlog",
        "at any time, on any path, under any policy: sum of S over unfinished prompts >= the work left of a server of "
        "C / (d0 + d1 C) token-iterations per second",
        "ours: at C = M* that server is critical, so the lower bound on latency (TTFT not) needs no proviso about gap "
        "or lengths",
        served_system,
        partial(backlog_slack, speed=1.0),
        Always(300, 25),
    ),
    Claim(
        "wait-boundary-delay",
        "C = M*, one type: policies whose gap vanishes (exponent < -1/4) have delays that grow (exponents of latency "
        "and TTFT > 1/4), on the engine; vLLM v0 and v1",
        f"{SOURCE}; 1/4 for 1/2 ours",
        partial(_boundary, policies=_POLICIES, replications=40, horizon=200.0),
        partial(delay_slack, exponent=0.25),
        Once(1 - ERROR),
        quick_sample=partial(_boundary, policies=("vllm-v1",), replications=40, horizon=50.0),
    ),
)
