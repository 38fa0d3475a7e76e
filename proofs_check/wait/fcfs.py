"""First come first served, and not knowing lengths, at ``C = M*``: losses that do not vanish (arXiv 2504.11320)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import product

import numpy as np

from proofs_check.claim import Claim
from proofs_check.heavy_traffic import (
    ALL,
    PromptType,
    critical_thresholds,
    linear_hardware,
    means,
    offered_tokens_per_s,
    scaling_study,
    study_of,
    wait_with,
)
from proofs_check.heavy_traffic.laws import poisson_law
from proofs_check.heavy_traffic.losing import Room, arrivals_first, residents_first, serve_losing
from proofs_check.rules import Exhaustive, Instance, Once
from proofs_check.wait.exponents import ERROR, exponents

PAPER = "arXiv 2504.11320"
CAPACITY, D0, D1 = 9, 0.1, 0.1
TYPES = (PromptType(1.0, 1, 1), PromptType(1.0, 1, 2))
"""The paper's instance: ``n* = (1, 1)``, ``Delta* = 1``, ``M* = 3 + 6 = 9 = C``."""

SAFE = 9 / (2 * math.e**2)
"""Probability that the paper gives a block of two iterations without overflow (value ours)."""

SAFE_PAIRS = ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))
"""Arrivals of both types that the paper calls safe."""


def demands(entering: tuple[int, int], following: tuple[tuple[int, int], ...]) -> list[int]:
    """KV tokens needed when everybody who arrives is admitted at once, from balance on.

    Parameters
    ----------
    entering : (int, int)
        Arrivals of both types during one iteration of the balanced state (one prompt per type and stage).
    following : tuple of (int, int)
        Those during the iterations after it.

    Returns
    -------
    list of int
        Tokens of the iteration that admits `entering`, and of those after it, one for each of `following`.
    """
    first, second = [1], [1, 1]
    tokens = []
    for one, two in (entering, *following):
        tokens.append(one + two + 2 * first[0] + 2 * second[0] + 3 * second[1])
        first, second = [one], [two, second[0]]
    return tokens


def safe_pairs(following: tuple[tuple[int, int], ...]) -> list[list[int]]:
    """Arrivals of both types after which nothing overflows, with these in the iterations after them; sorted."""
    counts = range(CAPACITY + 1)
    return [list(pair) for pair in product(counts, counts) if max(demands(pair, following)) <= CAPACITY]


def safe_probability(block: str) -> float:
    """Probability of no overflow in a block that starts at balance.

    ``"perturbed"``: Poisson arrivals in one iteration, the fluid's (1, 1) in the two after it. ``"random"``: Poisson
    arrivals in two iterations.
    """
    law = poisson_law(1.0)
    counts = range(CAPACITY + 1)
    chance = {(one, two): float(law[one] * law[two]) for one, two in product(counts, counts)}
    if block == "perturbed":
        return sum(chance[one, two] for one, two in safe_pairs(((1, 1), (1, 1))))
    pairs = product(chance.items(), chance.items())
    return sum(p * q for (x, p), (y, q) in pairs if max(demands(x, (y,))) <= CAPACITY)


def _blocks(block: str) -> Iterator[Instance]:
    return iter(({"block": block, "safe": safe_probability(block)},))


def _pairs() -> Iterator[Instance]:
    fluid = (1, 1)
    return iter(({"pairs": safe_pairs((fluid, fluid)), "pairs of two iterations": safe_pairs((fluid,))},))


def pairs_slack(x: Instance, safe: tuple[tuple[int, int], ...]) -> float:
    """Minus the number of pairs by which the safe ones differ from `safe`.

    Those of two iterations may differ by (0, 2) alone.
    """
    found, shorter = ({(one, two) for one, two in x[block]} for block in ("pairs", "pairs of two iterations"))
    return -float(len(found ^ set(safe)) + len(shorter ^ {*safe, (0, 2)}))


def block_slack(x: Instance, safe: float) -> float:
    """Minus the distance of the block's probability from `safe`."""
    return -abs(float(x["safe"]) - safe)


def random_block_slack(x: Instance, safe: float) -> float:
    """Room of the block's probability below `safe`."""
    return safe - float(x["safe"])


def _gaps(rng: np.random.Generator, names: tuple[str, ...], metric: str, replications: int, horizon: float) -> Instance:
    """Throughput gaps of several rules on the same paths: exponent, and least share of the load at the largest scale.

    `metric` is the form of the gap with the smaller noise (`heavy_traffic.served.measure`); "least" is the lower end of
    an interval. A name of `LOSING` is served under the paper's overflow rule, `KNOWN` is WAIT with the critical
    thresholds, any other a policy of the registry.
    """
    seed = int(rng.integers(2**32))
    hardware = linear_hardware(D0, D1, CAPACITY)
    scales = SCALES[metric]
    gaps = {}
    for name in names:
        if name in LOSING:
            server = partial(serve_losing, capacity=CAPACITY, d0=D0, d1=D1, room=LOSING[name])
            study = study_of(server, TYPES, name, scales, replications, seed, horizon_s=horizon)
        else:
            policy = wait_with(TYPES, hardware, critical_thresholds(TYPES, hardware)) if name == KNOWN else name
            study = scaling_study(TYPES, hardware, policy, scales, replications, seed, horizon_s=horizon)
        (exponent,) = exponents(study, [(metric, ALL)], intervals=2 * len(names)).values()
        last = means(study, metric, level=1 - ERROR / (2 * len(names)))[scales[-1]]
        assert last.half_width is not None, "a claim's study has replications"
        gaps[name] = {
            "exponent": exponent,
            "least_share": (last.mean - last.half_width) / offered_tokens_per_s(TYPES),
        }
    return {"seed": seed, "replications": replications, "horizon": horizon, "gaps": gaps}


def stays_slack(x: Instance, share: float) -> float:
    """Room of the exponents above -1/4, and of the gaps at the largest scale above `share` of the offered load."""
    gaps = x["gaps"].values()
    return float(min(min(g["exponent"][0] - g["exponent"][1] - HALFWAY, g["least_share"] - share) for g in gaps))


def vanishes_slack(x: Instance) -> float:
    """Room of the exponents below -1/4."""
    return float(min(HALFWAY - sum(gap["exponent"]) for gap in x["gaps"].values()))


HALFWAY = -0.25
"""Between a gap that stays (exponent 0) and one that vanishes (-1/2); intervals must lie on one side of it."""

STAYS, VANISHES = "throughput_shortfall", "throughput_gap"
SCALES = {STAYS: (1, 2, 4, 8, 16), VANISHES: (1, 3, 9, 27, 81)}
KNOWN = "wait with its thresholds"
LOSING: dict[str, Room] = {
    "residents first": residents_first(CAPACITY),
    "arrivals first": arrivals_first,
    **{f"residents first, up to {limit} tokens": residents_first(limit) for limit in (4, 6, 8)},
}
_FCFS = ("residents first", "arrivals first")

CLAIMS = (
    Claim(
        "wait-fcfs-block-arrivals",
        "from balance only (0,0), (1,0), (0,1), (1,1), (2,0) arrivals in one iteration avoid overflow in the block; "
        "(0,2) overflows only in the third iteration",
        f"{PAPER}, lower bound for FCFS; reading ours: the fluid's (1, 1) arrive in the two iterations after it",
        None,
        partial(pairs_slack, safe=SAFE_PAIRS),
        Exhaustive(1),
        cases=_pairs,
    ),
    Claim(
        "wait-fcfs-block",
        "a block that starts at balance avoids overflow with probability 9 / (2 e^2) = 0.609; exact",
        f"{PAPER}, lower bound for FCFS; reading as for wait-fcfs-block-arrivals",
        None,
        partial(block_slack, safe=SAFE),
        Exhaustive(1, 1e-12),
        cases=partial(_blocks, "perturbed"),
    ),
    Claim(
        "wait-fcfs-random-block",
        "with Poisson arrivals in both iterations of a block it avoids overflow with probability <= 9 / (2 e^2); exact",
        "ours, for the same block",
        None,
        partial(random_block_slack, safe=SAFE),
        Exhaustive(1),
        cases=partial(_blocks, "random"),
    ),
    Claim(
        "wait-fcfs-gap",
        "FCFS at C = M*: the throughput gap does not vanish (exponent > -1/4; at the largest scale >= 5% of the load)",
        f"{PAPER}, lower bound for FCFS; overflow loses progress, as there, outside the engine",
        partial(_gaps, names=_FCFS, metric=STAYS, replications=24, horizon=500.0),
        partial(stays_slack, share=0.05),
        Once(1 - ERROR),
        quick_sample=partial(_gaps, names=_FCFS, metric=STAYS, replications=12, horizon=200.0),
    ),
    Claim(
        "wait-fcfs-gap-engine",
        "the same on the engine for vLLM v0 (prompts in batches of their own) and Orca (reserves the longest output); "
        "who is evicted keeps its tokens",
        "ours, on the instance of the lower bound for FCFS",
        partial(_gaps, names=("vllm-v0", "orca"), metric=STAYS, replications=12, horizon=800.0),
        partial(stays_slack, share=0.03),
        Once(1 - ERROR),
        quick_sample=partial(_gaps, names=("orca",), metric=STAYS, replications=24, horizon=400.0),
    ),
    Claim(
        "wait-fcfs-kept-tokens",
        "vLLM v1 on the same instance: evictions that keep tokens cost nothing in d0 + d1 KV, and the gap vanishes "
        "(exponent < -1/4)",
        "ours: the lower bound for FCFS needs the overflow rule that loses progress",
        partial(_gaps, names=("vllm-v1",), metric=VANISHES, replications=20, horizon=100.0),
        vanishes_slack,
        Once(1 - ERROR),
        quick_sample=partial(_gaps, names=("vllm-v1",), metric=VANISHES, replications=16, horizon=25.0),
    ),
    Claim(
        "wait-unknown-lengths-gap",
        "C = M*, lengths unknown: the gap does not vanish, whether prompts are admitted up to 4, 6, 8 or 9 tokens "
        "(overflow loses progress) or the longest output is reserved",
        f"{PAPER}, lower bound for unknown lengths; on the instance with l' = 1 and 2",
        partial(_gaps, names=(*LOSING, "orca"), metric=STAYS, replications=12, horizon=500.0),
        partial(stays_slack, share=0.03),
        Once(1 - ERROR),
        quick_sample=partial(_gaps, names=("residents first", "orca"), metric=STAYS, replications=16, horizon=200.0),
    ),
    Claim(
        "wait-known-lengths-gap",
        "on the same instance WAIT, which knows lengths, has a vanishing gap (exponent < -1/4)",
        f"{PAPER}, WAIT theorem, critical case",
        partial(_gaps, names=(KNOWN,), metric=VANISHES, replications=16, horizon=100.0),
        vanishes_slack,
        Once(1 - ERROR),
        quick_sample=partial(_gaps, names=(KNOWN,), metric=VANISHES, replications=16, horizon=25.0),
    ),
)
