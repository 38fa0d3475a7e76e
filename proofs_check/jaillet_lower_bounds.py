"""No deterministic online algorithm is competitive (Jaillet et al., arXiv 2502.07115): adversaries that run.

The theorem, ratio Omega(sqrt n) under arbitrary arrivals, is the paper's (third-party notes); its construction is not
known to us. Both adversaries here, their constants and their proofs are ours.

Either lets a long request arrive at round 0, waits until the algorithm starts it, say at round k, and then sends short
ones. As the algorithm is deterministic and sees no arrival before, k is known. The optimum is bounded from above by
a schedule that is checked, the algorithm's latency is measured.

**Equal prompts: ratio >= sqrt(n) / 6.** Prompts are 0, the memory is M. The long request has M output tokens; M short
ones of one token come at each of the rounds k+1 .. k+T with T = 3M, so n = 3M^2 + 1. In rounds k+2 .. k+M the long
one leaves room for M - 2, ..., 0 short ones, in later rounds for M. So for each r from k+M to k+T, of the M (r - k)
short ones that have come by r, at least ``M^2 - (M-1)(M-2)/2 = (M^2 + 3M - 2)/2`` are not done, and the
algorithm's latency is at least ``(2M + 1)(M^2 + 3M - 2)/2``. Serving every short one at once costs M T; the long one
runs before them if k >= M and after them otherwise, for at most T + 2M. Together at most ``3M^2 + 5M``. The ratio is
at least M/3, and ``M/3 = sqrt(n - 1) / sqrt(27) >= sqrt(n) / 6``.

**Unequal prompts: ratio >= n / 3.** The long request has L output tokens and peak M = L^2. It leaves at most L - 1
tokens free while it runs. At round k+1 come L short ones of one output token that hold L tokens each: none fits
beside the long one, all fit together. The algorithm's latency is at least ``L + L^2``. The long one at round 0 (if
k >= L - 1) or at k + 2 (otherwise), and the short ones at once, have at most ``3L``. With n = L + 1 the ratio is at
least n/3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from fluid.hindsight import (
    RoundInstance,
    check_schedule,
    mc_benchmark_starts,
    mc_sf_starts,
    svf_starts,
    total_latency,
)
from proofs_check.claim import Claim
from proofs_check.rules import Exhaustive, Instance

PAPER = "arXiv 2502.07115"

Online = Callable[[RoundInstance], np.ndarray]


def lazy(rounds: int) -> Online:
    """First come first served, where each request is looked at only `rounds` after it has come."""

    def starts(instance: RoundInstance) -> np.ndarray:
        return mc_benchmark_starts(replace(instance, arrival_rounds=instance.arrival_rounds + rounds))

    return starts


ONLINE: dict[str, Online] = {
    "mc-sf": mc_sf_starts,
    "mc-benchmark": mc_benchmark_starts,
    "svf": svf_starts,
    "lazy-5": lazy(5),
    "lazy-40": lazy(40),
}
"""Deterministic rules that never look ahead of arrivals."""


def equal_prompts(memory: int, start: int) -> tuple[RoundInstance, np.ndarray]:
    """The first adversary for a long request started at `start`, and a good schedule."""
    last = start + 3 * memory
    arrivals = np.concatenate([[0], np.repeat(np.arange(start + 1, last + 1), memory)])
    outputs = np.concatenate([[memory], np.ones(len(arrivals) - 1, dtype=np.int64)])
    instance = RoundInstance.of(arrivals, np.zeros_like(arrivals), outputs, memory)
    good = arrivals.copy()
    good[0] = 0 if start >= memory else last + 1
    return instance, good


def unequal_prompts(length: int, start: int) -> tuple[RoundInstance, np.ndarray]:
    """The second adversary for a long request started at `start`, and a good schedule."""
    arrivals = np.concatenate([[0], np.full(length, start + 1)])
    outputs = np.concatenate([[length], np.ones(length, dtype=np.int64)])
    prompts = np.concatenate([[length**2 - length], np.full(length, length - 1)])
    instance = RoundInstance.of(arrivals, prompts, outputs, length**2)
    good = arrivals.copy()
    good[0] = 0 if start >= length - 1 else start + 2
    return instance, good


Adversary = Callable[[int, int], tuple[RoundInstance, np.ndarray]]


def forced_ratio(adversary: Adversary, rule: Online, size: int) -> tuple[float, int]:
    """TEL of a rule over that of the adversary's schedule, and the number of requests."""
    alone = adversary(size, 0)[0]
    single = RoundInstance.of([0], alone.prompt_tokens[:1], alone.output_tokens[:1], alone.memory_tokens)
    begin = int(rule(single)[0])
    instance, good = adversary(size, begin)
    check_schedule(instance, good)
    starts = rule(instance)
    check_schedule(instance, starts)
    assert starts[0] == begin, "an online rule cannot know what comes later"
    return total_latency(instance, starts) / total_latency(instance, good), len(instance)


def grows(adversary: Adversary, constant: float, exponent: float) -> Callable[[Instance], float]:
    """Relative slack of ``ratio >= constant * n^exponent``."""

    def slack(x: Instance) -> float:
        ratio, n = forced_ratio(adversary, ONLINE[x["rule"]], x["size"])
        return ratio / (constant * math.pow(n, exponent)) - 1

    return slack


def _cases(sizes: tuple[int, ...]) -> Callable[[], Iterator[Instance]]:
    return lambda: ({"rule": rule, "size": size} for size in sizes for rule in ONLINE)


CLAIMS = (
    Claim(
        "jaillet-online-sqrt-n",
        "an adversary with equal prompts forces MC-SF, MC-Benchmark, SVF and two lazy rules to TEL >= (sqrt(n)/6) OPT; "
        "M = 2, 3, 4, 8, 16, 32",
        f"{PAPER}, Omega(sqrt n) for deterministic online algorithms; construction and constant ours",
        None,
        grows(equal_prompts, 1 / 6, 0.5),
        Exhaustive(10),
        cases=_cases((32, 16, 8, 4, 3, 2)),
    ),
    Claim(
        "jaillet-online-linear-n",
        "with unequal prompts an adversary forces them to TEL >= (n/3) OPT; n = 3, 4, 5, 9, 17, 33, 65",
        "ours",
        None,
        grows(unequal_prompts, 1 / 3, 1.0),
        Exhaustive(10),
        cases=_cases((64, 32, 16, 8, 4, 3, 2)),
    ),
)
