"""Smallest Volume First (Kong, Qi, Ye, Zhou; arXiv 2606.22327): bounds from memory volumes, for bursts.

Known to us through the Lean-checked companion in the public repository servingQ/serQ.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from fluid.hindsight import (
    RoundInstance,
    check_schedule,
    length_bound,
    list_schedule,
    svf_starts,
    total_latency,
    volume_bound,
)
from proofs_check.claim import Claim
from proofs_check.models.bursts import as_rounds, random_bursts, tiny_bursts
from proofs_check.models.round_optimum import burst_optimum
from proofs_check.rules import Always, Exhaustive, Instance, Near

PAPER = "arXiv 2606.22327"
RUN_RATIO = 1.33
"""TEL over the volume bound in the companion's run, whose law is `published_run`."""

Bound = Callable[[RoundInstance], Fraction]
Factor = Callable[[float], float]


def lower_bound(instance: RoundInstance) -> Fraction:
    """The better of the paper's two bounds on TEL, not rounded."""
    return max(volume_bound(instance), Fraction(length_bound(instance)))


def optimum_above(bound: Bound) -> Callable[[Instance], float]:
    """``OPT - bound``, rounds."""

    def slack(x: Instance) -> float:
        instance = as_rounds(x)
        return float(burst_optimum(instance) - bound(instance))

    return slack


def schedule_above(bound: Bound) -> Callable[[Instance], float]:
    """``TEL - bound`` of a schedule with idle time: requests placed in the order given, none before its delay."""

    def slack(x: Instance) -> float:
        instance = as_rounds(x)
        delayed = RoundInstance.of(x["delays"], x["prompts"], x["outputs"], x["M"])
        starts = list_schedule(delayed, x["order"])
        check_schedule(instance, starts)
        return float(total_latency(instance, starts) - bound(instance))

    return slack


def largest_share(x: Instance) -> float:
    """Alpha: the largest peak as a share of the memory."""
    return float(max(s + o for s, o in zip(x["prompts"], x["outputs"], strict=True)) / x["M"])


def guarantee(alpha: float) -> float:
    """``1 + 2 / (1 - alpha)``."""
    return 1 + 2 / (1 - alpha)


def svf_within(factor: Factor, benchmark: Callable[[RoundInstance], Fraction | int]) -> Callable[[Instance], float]:
    """``factor(alpha) - TEL(SVF) / benchmark``."""

    def slack(x: Instance) -> float:
        instance = as_rounds(x)
        return factor(largest_share(x)) - float(total_latency(instance, svf_starts(instance)) / benchmark(instance))

    return slack


def waiting_within(factor: float) -> Callable[[Instance], float]:
    """``factor * sum_j sum_{i before j} vol_(i) - (1 - alpha) M sum_j wait_j`` over the first term plus 1."""

    def slack(x: Instance) -> float:
        instance = as_rounds(x)
        ahead = np.cumsum(np.sort(instance.volume)).sum() - instance.volume.sum()
        room = instance.memory_tokens - int((instance.prompt_tokens + instance.output_tokens).max())
        return float(factor * ahead - room * svf_starts(instance).sum()) / float(factor * ahead + 1)

    return slack


def _schedule(rng: np.random.Generator) -> Instance:
    burst = random_bursts(40, (3, 80))(rng)
    n = len(burst["prompts"])
    delays = rng.integers(0, 1 + int(rng.integers(0, 8)), n).tolist()
    return {**burst, "delays": delays, "order": rng.permutation(n).tolist()}


def published_run(rng: np.random.Generator) -> Instance:
    """One path of the companion's law: 200 requests in 20,000 tokens, uniform lengths, peaks below 2500."""
    prompts, outputs = rng.integers(100, 2_000, 200).tolist(), rng.integers(10, 500, 200).tolist()
    return {"M": 20_000, "prompts": prompts, "outputs": outputs}


def distance_from_run(starts: Callable[[RoundInstance], np.ndarray]) -> Callable[[Instance], float]:
    """TEL of a rule over the volume bound, minus the companion's 1.33."""

    def slack(x: Instance) -> float:
        instance = as_rounds(x)
        return float(total_latency(instance, starts(instance)) / volume_bound(instance)) - RUN_RATIO

    return slack


CLAIMS = (
    Claim(
        "kong-svf-volume-bound",
        "OPT >= (1/M) sum_j sum_{i<=j} vol_(i), volumes ascending",
        f"{PAPER}, Proposition 3.1 (servingQ/serQ); exact optimum of all bursts of up to 4 requests, M <= 5",
        None,
        optimum_above(volume_bound),
        Exhaustive(200),
        cases=lambda: tiny_bursts(range(1, 6), 4),
    ),
    Claim(
        "kong-svf-any-schedule",
        "TEL >= (1/M) sum_j sum_{i<=j} vol_(i) and TEL >= sum o for any feasible schedule",
        f"{PAPER}, Proposition 3.1 (servingQ/serQ)",
        _schedule,
        schedule_above(lower_bound),
        Always(quick_instances=50),
    ),
    Claim(
        "kong-svf-waiting",
        "(1 - alpha) M sum_j wait_j <= 2 sum_j sum_{i before j} vol_(i) under SVF",
        f"{PAPER}, Lemma A.2 summed over the requests (servingQ/serQ)",
        random_bursts(80, (4, 300)),
        waiting_within(2),
        Always(quick_instances=50),
    ),
    Claim(
        "kong-svf-ratio",
        "TEL(SVF) <= (1 + 2/(1 - alpha)) OPT when all peaks are at most alpha M",
        f"{PAPER}, Theorem 3.2 (servingQ/serQ); exact optimum of all bursts of up to 4 requests with alpha < 1, M <= 5",
        None,
        svf_within(guarantee, burst_optimum),
        Exhaustive(1_500),
        cases=lambda: (x for x in tiny_bursts(range(2, 6), 4) if largest_share(x) < 1),
    ),
    Claim(
        "kong-svf-ratio-to-bound",
        "TEL(SVF) <= (1 + 2/(1 - alpha)) times the better of volume bound and sum o",
        f"{PAPER}, proof of Theorem 3.2 (servingQ/serQ): implies it",
        random_bursts(80, (8, 300), share=0.9),
        svf_within(guarantee, lower_bound),
        Always(quick_instances=50),
    ),
    Claim(
        "kong-svf-published-run",
        "TEL(SVF) is 1.33 times the volume bound: 200 requests, M = 20000, peaks below 2500 (guarantee 3.2857)",
        "servingQ/serQ, kong_svf.sq: one run; here the mean over paths of its law, to 0.02",
        published_run,
        distance_from_run(svf_starts),
        Near(margin=0.02, quick_most=128),
    ),
)
