"""Sorted-F and the rules it replaces, for bursts of unequal prompts (Wang, Ye, Zhou; arXiv 2508.06133).

That first come first served and shortest first have unbounded ratios is the paper's, growing sublinearly with M (its
first version's abstract). The two families below, their constants and proofs are ours. The optimum is bounded from
above by a schedule that is checked.

**First come first served: ratio >= sqrt(M) / 2.** M = L^2. First comes a request with o = L and peak M, which leaves
at most L - 1 tokens free while it runs; then L requests with o = 1 that hold L tokens each. They wait for it: TEL is
``L + L (L + 1)``. Started before it they all fit together: ``L + L + 1``. The ratio ``L (L + 2) / (2 L + 1)`` is at
least L / 2.

**Shortest first: ratio >= 0.28 sqrt(M).** M = 2 L^2. L requests with o = 1 hold all of M each; L^2 requests with o = 2
and without prompt fit together. Shortest first runs the L one by one first: TEL is ``L (L + 1) / 2 + L^2 (L + 2)``. In
the other order it is ``2 L^2 + 2 L + L (L + 1) / 2 = 2.5 L (L + 1)``. The ratio is at least ``0.4 L``, which is
``0.4 sqrt(M / 2)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fluid.hindsight import (
    RoundInstance,
    check_schedule,
    mc_benchmark_starts,
    mc_sf_starts,
    simple_bound,
    total_latency,
)
from policies.sorted_f import exact, sorted_f_starts
from proofs_check.claim import Claim
from proofs_check.models.bursts import as_rounds, random_bursts, tiny_bursts
from proofs_check.models.round_optimum import burst_optimum
from proofs_check.rules import Always, Exhaustive, Instance

PAPER = "arXiv 2508.06133"

Starts = Callable[[RoundInstance], np.ndarray]


def sorted_f(instance: RoundInstance) -> np.ndarray:
    """Sorted-F, its batches found exactly."""
    return sorted_f_starts(instance, exact)


def blocked_by_the_first(length: int) -> tuple[RoundInstance, np.ndarray]:
    """The family against first come first served, and a good schedule."""
    short = [length - 1] * length, [1] * length
    instance = RoundInstance.of([0] * (length + 1), [length**2 - length, *short[0]], [length, *short[1]], length**2)
    return instance, np.array([1] + [0] * length)


def full_and_short(length: int) -> tuple[RoundInstance, np.ndarray]:
    """The family against shortest first, and a good schedule."""
    many = length**2
    memory = 2 * many
    instance = RoundInstance.of(
        [0] * (length + many), [memory - 1] * length + [0] * many, [1] * length + [2] * many, memory
    )
    return instance, np.array([*range(2, length + 2), *[0] * many])


Family = Callable[[int], tuple[RoundInstance, np.ndarray]]
FAMILIES: dict[str, Family] = {"fcfs": blocked_by_the_first, "shortest-first": full_and_short}


def family_ratio(family: Family, starts: Starts, length: int) -> tuple[float, int]:
    """TEL of a rule over that of the good schedule, and the memory."""
    instance, good = family(length)
    check_schedule(instance, good)
    return total_latency(instance, starts(instance)) / total_latency(instance, good), instance.memory_tokens


def grows(family: Family, starts: Starts, constant: float, exponent: float) -> Callable[[Instance], float]:
    """Relative slack of ``ratio >= constant * M^exponent``."""

    def slack(x: Instance) -> float:
        ratio, memory = family_ratio(family, starts, x["L"])
        return ratio / (constant * math.pow(memory, exponent)) - 1

    return slack


def stays_within(constant: float, starts: Starts) -> Callable[[Instance], float]:
    """``constant - ratio`` on a member of either family."""

    def slack(x: Instance) -> float:
        return constant - family_ratio(FAMILIES[x["family"]], starts, x["L"])[0]

    return slack


def ratio_within(
    constant: float, starts: Starts, benchmark: Callable[[RoundInstance], int]
) -> Callable[[Instance], float]:
    """``constant - TEL / benchmark``."""

    def slack(x: Instance) -> float:
        instance = as_rounds(x)
        return constant - total_latency(instance, starts(instance)) / benchmark(instance)

    return slack


CLAIMS = (
    Claim(
        "wang-sorted-f-48",
        "TEL(Sorted-F) <= 48 OPT",
        f"{PAPER} (summaries); exact optimum of all bursts of up to 4 requests, M <= 5",
        None,
        ratio_within(48, sorted_f, burst_optimum),
        Exhaustive(200),
        cases=lambda: tiny_bursts(range(1, 6), 4),
    ),
    Claim(
        "wang-sorted-f-48-to-bound",
        "TEL(Sorted-F) <= 48 times a lower bound on OPT",
        f"{PAPER} (summaries); lower bound of arXiv 2606.22327",
        random_bursts(40, (4, 80)),
        ratio_within(48, sorted_f, simple_bound),
        Always(quick_instances=30),
    ),
    Claim(
        "wang-sorted-f-families",
        "TEL(Sorted-F) <= 2 OPT on both families on which the simple rules fail; L = 1, 2, 3, 5, 8",
        "ours",
        None,
        stays_within(2, sorted_f),
        Exhaustive(6),
        cases=lambda: ({"family": family, "L": length} for length in (8, 5, 3, 2, 1) for family in FAMILIES),
    ),
    Claim(
        "wang-fcfs-unbounded",
        "a family of bursts has TEL(first come first served) >= (sqrt(M)/2) OPT; M = 1, 4, 9, ..., 1600",
        f"{PAPER}, unbounded ratio growing with M; family and constant ours",
        None,
        grows(blocked_by_the_first, mc_benchmark_starts, 1 / 2, 0.5),
        Exhaustive(6),
        cases=lambda: ({"L": length} for length in range(40, 0, -1)),
    ),
    Claim(
        "wang-shortest-first-unbounded",
        "a family of bursts has TEL(shortest first) >= 0.28 sqrt(M) OPT; M = 2, 8, 18, ..., 512",
        f"{PAPER}, unbounded ratio growing with M; family and constant ours",
        None,
        grows(full_and_short, mc_sf_starts, 0.28, 0.5),
        Exhaustive(6),
        cases=lambda: ({"L": length} for length in range(16, 0, -1)),
    ),
)
