"""Nested WAIT's memory requirement (arXiv 2504.11320): what full stages hold, and the boundary queues' excursions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np

from orsched.work import Floats
from policies.wait.drift import theta_root
from policies.wait.segments import NestedSegments
from proofs_check.claim import Claim
from proofs_check.heavy_traffic.laws import binomial_law, firing, means_after, passage, reflected
from proofs_check.rules import Always, Exhaustive, Instance
from proofs_check.wait.coupling import backlogs
from proofs_check.wait.systems import PAPER

SOURCE = f"{PAPER}, memory requirement of Nested WAIT (journal revision)"


def _random_segments(rng: np.random.Generator) -> Instance:
    """Two to five segments."""
    count = int(rng.integers(2, 6))
    cuts = np.cumsum(rng.integers(1, 40, count)).tolist()
    thresholds = np.sort(rng.integers(1, 60, count))[::-1].tolist()
    return {"prompt": int(rng.integers(1, 600)), "cuts": cuts, "thresholds": thresholds}


def stage_sum(x: Instance) -> int:
    """KV tokens with every stage full: ``n_k (l + s)`` summed over the stages s of every segment k."""
    ends = pairwise((-1, *x["cuts"]))
    return sum(
        n * (x["prompt"] + s) for n, (a, b) in zip(x["thresholds"], ends, strict=True) for s in range(a + 1, b + 1)
    )


def closed_form_slack(x: Instance) -> float:
    """Minus the relative distance of ``M^pi`` from the sum over stages."""
    cuts, n = tuple(x["cuts"]), tuple(x["thresholds"])
    segments = NestedSegments(cuts, n, (0.5,) * (len(n) - 1), (float(x["prompt"]),) * len(n))
    return -abs(segments.memory_tokens / stage_sum(x) - 1)


def _random_boundary(rng: np.random.Generator) -> Instance:
    """A boundary queue with drift downwards, a number of reviews, and a level that is passed not too rarely."""
    before = int(rng.integers(2, 40))
    n = int(rng.integers(1, before))
    p = float(rng.uniform(0.4, 0.95) * n / before)
    reviews = int(rng.integers(10, 200))
    mean_level = math.log(reviews) / theta_root(before, n, p)
    return {
        "n_before": before,
        "n": n,
        "p": p,
        "reviews": reviews,
        "level": max(1, round(mean_level * float(rng.uniform(0.2, 1.5)))),
        "path_seed": int(rng.integers(2**32)),
    }


def _survivors(x: Instance) -> Floats:
    return binomial_law(x["n_before"], x["p"])


def excursion_slack(x: Instance, union: bool, denominator: str) -> float:
    """Logarithm of the bound less that of ``P(max_{r <= B} (Wt_r - n) >= level)``.

    `union`: with the factor B. `denominator`: ``"root"`` for theta itself, otherwise its lower bound
    ``8 (n_k - n_{k-1} p_k)`` over that field.
    """
    theta = theta_root(x["n_before"], x["n"], x["p"])
    if denominator != "root":
        theta = 8 * (x["n"] - x["n_before"] * x["p"]) / x[denominator]
    chance = float(passage(0, _survivors(x), reflected(x["n"], 0), x["reviews"], x["level"])[-1])
    if chance < _SURE:
        return math.inf
    return float((math.log(x["reviews"]) if union else 0.0) - theta * x["level"] - math.log(chance))


_SURE = 1e-14
"""Probabilities below are not told apart from what the laws leave out at their ends."""


def dominating_slack(x: Instance, floor: int) -> float:
    """Least room of the residual V below the walk that starts at `floor` thresholds and never falls below that."""
    rng = np.random.default_rng(x["path_seed"])
    arrivals = np.asarray(rng.binomial(x["n_before"], x["p"], size=x["reviews"]))
    n, walk, slack = x["n"], floor * x["n"], math.inf
    for residual, arrived in zip(backlogs(arrivals, n).tolist(), arrivals.tolist(), strict=True):
        walk = max(floor * n, walk + arrived - n)
        slack = min(slack, walk - residual)
    return float(slack)


_BOUNDARIES = ((20, 8, 0.3), (10, 5, 0.3), (4, 3, 0.5), (6, 5, 0.8), (12, 9, 0.7), (30, 16, 0.5), (3, 1, 0.3))
"""Thresholds before and behind, and survival."""


def _boundaries() -> Iterator[Instance]:
    return ({"n_before": before, "n": n, "p": p, "reviews": 2_000} for before, n, p in _BOUNDARIES)


def mean_slack(x: Instance, thresholds: float) -> float:
    """Room of ``max_B E[V_B]`` below ``thresholds n + E[(Y - n)^2] / (2 (n - n' p))``, n' the segment before's."""
    n, mean = x["n"], x["n_before"] * x["p"]
    square = mean * (1 - x["p"]) + (n - mean) ** 2
    largest = float(means_after(0, _survivors(x), firing(n), x["reviews"]).max())
    return float(thresholds * n + square / (2 * (n - mean)) - largest)


CLAIMS = (
    Claim(
        "wait-nested-memory-sum",
        "M^pi = sum_k n_k (l + sbar_k) delta_k is the sum of n_k (l + s) over all stages",
        SOURCE,
        _random_segments,
        closed_form_slack,
    ),
    Claim(
        "wait-nested-dominating-walk",
        "V <= Wt on every path, with survivors Y ~ Binomial(n_{k-1}, p_k), Wt_0 = n_k, Wt' = max(n_k, Wt + Y - n_k)",
        SOURCE,
        _random_boundary,
        partial(dominating_slack, floor=1),
        Always(300, 40),
    ),
    Claim(
        "wait-nested-excursion",
        "P(max_{r <= B} (Wt_r - n_k) >= x) <= B exp(-theta_k x); exact probabilities, slack in their logarithm",
        SOURCE,
        _random_boundary,
        partial(excursion_slack, union=True, denominator="root"),
        Always(300, 40),
    ),
    Claim(
        "wait-nested-boundary-mean",
        "max_B E[V_B] <= n_k + E[(Y - n_k)^2] / (2 (n_k - n_{k-1} p_k)); exact, B <= 2000, "
        f"(n_(k-1), n_k, p_k) = {', '.join(map(str, _BOUNDARIES))}",
        SOURCE,
        None,
        partial(mean_slack, thresholds=1.0),
        Exhaustive(3, 1e-9),
        cases=_boundaries,
    ),
)
