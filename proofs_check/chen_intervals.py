"""A_max and A_min, scheduling with predicted intervals (Chen, Ye, Zhou; arXiv 2508.14544), for bursts.

All requests arrive at round 0 with one prompt length, true lengths are in ``[l, u]``, ``alpha = l / u``; the benchmark
H-SF is MC-SF with the true lengths. The two expressions for A_max are rebuilt from flattened third-party text; the
paper's constant for A_min is not known to us.

**A_max on two lengths (ours).** No prompt; ``M = K u``, ``l = alpha u`` with ``1 / alpha`` whole; first ``a K``
requests of length u, then ``b K / alpha`` of length l. A_max plans u for each, so K run at a time, all at the same age:
a batches of u rounds, then ``b / alpha`` of l. H-SF runs ``K / alpha`` of the short ones at a time, then K of the long:

    A_max = K u a (a+1)/2 + K [ (b/alpha) a u + l (b/alpha) (b/alpha + 1)/2 ]
    H-SF  = (K/alpha) l b (b+1)/2 + K [ a b l + u a (a+1)/2 ].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from fluid.hindsight import RoundInstance, a_max_starts, a_min_completions, mc_sf_starts, total_latency
from proofs_check.claim import Claim, Sampler
from proofs_check.rules import Always, Exhaustive, Instance

PAPER = "arXiv 2508.14544"

Total = Callable[[RoundInstance, int, int], int]
Expression = Callable[[float], float]


def a_max_total(instance: RoundInstance, low: int, high: int) -> int:
    """TEL of A_max, which knows the upper end."""
    return total_latency(instance, a_max_starts(instance, np.full(len(instance), high)))


def a_min_total(instance: RoundInstance, low: int, high: int) -> int:
    """TEL of A_min, which knows the lower end."""
    return int(a_min_completions(instance, np.full(len(instance), low)).sum())


def rounds_of(x: Instance) -> RoundInstance:
    """The burst."""
    n = len(x["outputs"])
    return RoundInstance.of([0] * n, [x["prompt"]] * n, x["outputs"], x["M"])


def upper_expression(alpha: float) -> float:
    """``(1/alpha) (1 + 1/alpha) / 2``."""
    return (1 + 1 / alpha) / (2 * alpha)


def lower_expression(alpha: float) -> float:
    """``(1/alpha) (1 + alpha^(-1/2)) / 2``."""
    return (1 + 1 / math.sqrt(alpha)) / (2 * alpha)


def log_expression(alpha: float) -> float:
    """``1 + log2(1/alpha)``; the constants are ours."""
    return 1 - math.log2(alpha)


def ordered(lower: Expression, upper: Expression) -> Callable[[Instance], float]:
    """``upper - lower`` at alpha, or minus the distance of either from 1 at alpha = 1."""

    def slack(x: Instance) -> float:
        return min(upper(x["alpha"]) - lower(x["alpha"]), -abs(lower(1.0) - 1), -abs(upper(1.0) - 1))

    return slack


def ratio_within(bound: Expression, total: Total) -> Callable[[Instance], float]:
    """Relative slack of ``TEL <= bound(alpha) TEL(H-SF)``."""

    def slack(x: Instance) -> float:
        instance = rounds_of(x)
        allowed = bound(x["l"] / x["u"]) * total_latency(instance, mc_sf_starts(instance))
        return allowed / total(instance, x["l"], x["u"]) - 1

    return slack


def exceeds(bound: Expression, total: Total) -> Callable[[Instance], float]:
    """By what share of ``bound(alpha) TEL(H-SF)`` TEL is above it."""
    within = ratio_within(bound, total)
    return lambda x: 1 / (1 + within(x)) - 1


def equal_benchmark_slack(x: Instance) -> float:
    """Minus the larger distance of the TEL of A_max and A_min from that of H-SF, rounds."""
    instance = rounds_of(x)
    best = total_latency(instance, mc_sf_starts(instance))
    return -float(max(abs(total(instance, x["l"], x["u"]) - best) for total in (a_max_total, a_min_total)))


def _intervals(inverse_alphas: tuple[float, ...], multiples: tuple[float, ...]) -> Sampler:
    """Longest first; lengths uniform, log-uniform, at the two ends, or all at the lower end."""

    def sample(rng: np.random.Generator) -> Instance:
        inverse = float(rng.choice(inverse_alphas))
        low = int(rng.integers(1, 4)) if inverse.is_integer() else 4 * int(rng.integers(1, 4))
        high = round(low * inverse)
        prompt = int(rng.integers(0, 4)) * int(rng.integers(0, 2))
        n = int(rng.integers(2, 40))
        lengths = (
            rng.integers(low, high + 1, n),
            (low * inverse ** rng.random(n)).astype(np.int64),
            np.where(rng.random(n) < rng.random(), low, high),
            np.full(n, low),
        )[rng.integers(4)]
        outputs = np.sort(lengths)[::-1].tolist()
        memory = int((prompt + high) * rng.choice(multiples))
        return {"l": low, "u": high, "M": memory, "prompt": prompt, "outputs": outputs}

    return sample


def _two_lengths(rng: np.random.Generator) -> Instance:
    low, inverse, together = (int(rng.integers(1, most)) for most in (5, 7, 5))
    high = low * inverse
    batches = {"long": int(rng.integers(0, 4)), "short": int(rng.integers(1, 4))}
    outputs = [high] * (batches["long"] * together) + [low] * (batches["short"] * together * inverse)
    return {"l": low, "u": high, "M": together * high, "prompt": 0, "outputs": outputs, "batches": batches}


def two_lengths_slack(x: Instance) -> float:
    """Minus the distance of both totals from the closed forms, rounds."""
    low, high, a, b = x["l"], x["u"], x["batches"]["long"], x["batches"]["short"]
    inverse, together = high // low, x["M"] // high
    instance = rounds_of(x)
    later = b * inverse
    a_max = together * (high * a * (a + 1) // 2 + later * a * high + low * later * (later + 1) // 2)
    h_sf = together * (inverse * low * b * (b + 1) // 2 + a * b * low + high * a * (a + 1) // 2)
    best = total_latency(instance, mc_sf_starts(instance))
    return -float(max(abs(a_max_total(instance, low, high) - a_max), abs(best - h_sf)))


def _small_memories() -> Iterator[Instance]:
    """Some long requests before many short ones, in memories below those of `chen-a-max-upper`."""
    for low, high, memory, longs in ((2, 3, 3, 15), (3, 4, 5, 1), (4, 5, 10, 20), (11, 12, 48, 20)):
        outputs = [high] * longs + [low] * 50
        yield {"l": low, "u": high, "M": memory, "prompt": 0, "outputs": outputs}


def _alpha(rng: np.random.Generator) -> Instance:
    return {"alpha": float(1 - rng.random() ** 2 * (1 - 1e-3))}


CLAIMS = (
    Claim(
        "chen-a-max-expressions",
        "(1/alpha)(1 + alpha^(-1/2))/2 <= (1/alpha)(1 + 1/alpha)/2, and both are 1 at alpha = 1",
        f"{PAPER}, bounds on the ratio of A_max (rebuilt from flattened text)",
        _alpha,
        ordered(lower_expression, upper_expression),
    ),
    Claim(
        "chen-a-max-upper",
        "TEL(A_max) <= (1/alpha)(1 + 1/alpha)/2 TEL(H-SF) for alpha = 1/2, 1/4, ..., 1/64 and M = 4, 6, 10 (s + u)",
        f"{PAPER} (rebuilt from flattened text); alpha <= 1/2 and M >= 4 (s + u) are restrictions of ours",
        _intervals((2, 4, 8, 16, 32, 64), (4, 6, 10)),
        ratio_within(upper_expression, a_max_total),
        Always(quick_instances=150),
    ),
    Claim(
        "chen-a-max-small-memory",
        "TEL(A_max) > (1/alpha)(1 + 1/alpha)/2 TEL(H-SF) on four bursts, longest first, s = 0: (l, u, M) = (2, 3, 3), "
        "(3, 4, 5), (4, 5, 10), (11, 12, 48)",
        f"ours: why chen-a-max-upper has restrictions, which {PAPER} may have too",
        None,
        exceeds(upper_expression, a_max_total),
        Exhaustive(4),
        cases=_small_memories,
    ),
    Claim(
        "chen-a-max-two-lengths",
        "A_max and H-SF have the totals of this module's closed forms on bursts of two lengths, longest first",
        "ours",
        _two_lengths,
        two_lengths_slack,
    ),
    Claim(
        "chen-a-min-log",
        "TEL(A_min) <= (1 + log2(1/alpha)) TEL(H-SF) for alpha = 1/2, 1/4, ..., 1/64",
        f"{PAPER}, ratio O(log(1/alpha)); the constants are ours",
        _intervals((2, 4, 8, 16, 32, 64), (1, 1.5, 2, 4)),
        ratio_within(log_expression, a_min_total),
        Always(1500, 60),
    ),
    Claim(
        "chen-exact-intervals",
        "TEL(A_max) = TEL(A_min) = TEL(H-SF) at alpha = 1",
        "ours: all three know the lengths",
        _intervals((1,), (1, 1.5, 2, 4)),
        equal_benchmark_slack,
        Always(quick_instances=30),
    ),
)
