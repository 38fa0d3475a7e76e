"""WAIT's embedded backlog (arXiv 2504.11320, proof of the WAIT theorem): exact laws, no sampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from proofs_check.claim import Claim
from proofs_check.heavy_traffic.laws import firing, laws, mean_of, means_after, poisson_law, reflected
from proofs_check.rules import Always, Exhaustive, Instance
from proofs_check.wait.coupling import SOURCE, backlogs

REVIEWS = 1_000
"""Most reviews of the critical case."""

LONG = 2_500
"""Most reviews of the case with slack: by then the means have settled, mu <= 0.95 n."""


def _critical_cases() -> Iterator[Instance]:
    return ({"n": n, "mu": float(n), "reviews": REVIEWS} for n in (2, 1, 3, 5, 8, 13))


def _slack_cases() -> Iterator[Instance]:
    busy = (0.9, 0.5, 0.95, 0.1, 0.3, 0.8)
    return ({"n": n, "mu": n * share, "reviews": LONG} for n in (2, 1, 4, 8) for share in busy)


def _walk(rng: np.random.Generator) -> Instance:
    """A path of 200 intervals with mean arrivals 0.5 to 1.1 of the threshold."""
    n = int(rng.integers(1, 12))
    return {"n": n, "mu": n * float(rng.uniform(0.5, 1.1)), "intervals": 200, "path_seed": int(rng.integers(2**32))}


def dominating_slack(x: Instance, floor: int) -> float:
    """Least room of W below the walk that starts at `floor` thresholds and never falls below that."""
    n, walk, slack = x["n"], floor * x["n"], math.inf
    arrivals = np.asarray(np.random.default_rng(x["path_seed"]).poisson(x["mu"], size=x["intervals"]))
    for waiting, arrived in zip(backlogs(arrivals, n).tolist(), arrivals.tolist(), strict=True):
        walk = max(floor * n, walk + arrived - n)
        slack = min(slack, walk - waiting)
    return float(slack)


def identity_slack(x: Instance, factor: float) -> float:
    """Minus the largest relative distance of ``E[W_B]`` from ``factor n E[# stuck]`` over B."""
    n, stuck, far = x["n"], 0.0, 0.0
    for before, after in laws(0, poisson_law(x["mu"]), firing(n), x["reviews"]):
        stuck += float(before[:n].sum())
        far = max(far, abs(mean_of(after) / (factor * n * stuck) - 1))
    return -far


def critical_slack(x: Instance, factor: float) -> float:
    """Least room, over B, of ``E[W_B] - n`` below ``factor sqrt(n) sum_{k <= B} k^(-1/2)``, in units of sqrt(n B)."""
    n, k = x["n"], np.arange(1, x["reviews"] + 1)
    means = means_after(0, poisson_law(x["mu"]), firing(n), x["reviews"])
    bound = factor * math.sqrt(n) * np.cumsum(k**-0.5)
    return float(((n + bound - means) / np.sqrt(n * k)).min())


def square_root_slack(x: Instance, factor: float) -> float:
    """Least room of the sum below ``factor sqrt(n B)``."""
    k = np.arange(1, x["reviews"] + 1)
    return float((factor * np.sqrt(x["n"] * k) - math.sqrt(x["n"]) * np.cumsum(k**-0.5)).min())


def slack_case_slack(x: Instance, thresholds: float, square: float, variance: float) -> float:
    """Room of ``max_B E[W_B]`` below ``thresholds n + (variance mu + square (n - mu)^2) / (2 (n - mu))``."""
    n, mu = x["n"], x["mu"]
    largest = float(means_after(0, poisson_law(mu), firing(n), x["reviews"]).max())
    return float(thresholds * n + (variance * mu + square * (n - mu) ** 2) / (2 * (n - mu)) - largest)


def walk_slack(x: Instance, variance: float) -> float:
    """Room of ``max_B E[Wt_B] - 2 n`` below ``variance mu / (2 (n - mu))``."""
    n, mu = x["n"], x["mu"]
    largest = float(means_after(0, poisson_law(mu), reflected(n, 0), x["reviews"]).max())
    return float(variance * mu / (2 * (n - mu)) - largest)


def _exact(
    name: str, statement: str, where: str, cases: Callable[[], Iterator[Instance]], slack: Callable[[Instance], float]
) -> Claim:
    return Claim(name, statement, where, None, slack, Exhaustive(3, 1e-9), cases=cases)


_BOX = f"n = 1, 2, 4, 8, mu / n = 0.1, 0.3, 0.5, 0.8, 0.9, 0.95, B <= {LONG}"

CLAIMS = (
    Claim(
        "wait-dominating-walk",
        "W <= Wt on every path, with Wt_0 = 2n, Wt' = max(2n, Wt + X - n)",
        SOURCE,
        _walk,
        partial(dominating_slack, floor=2),
        Always(300, 40),
    ),
    _exact(
        "wait-critical-identity",
        f"mu = n: E[W_B] = n E[number of reviews that start nothing]; exact, n = 1, 2, 3, 5, 8, 13, B <= {REVIEWS}",
        SOURCE,
        _critical_cases,
        partial(identity_slack, factor=1.0),
    ),
    _exact(
        "wait-critical-backlog",
        f"mu = n: E[W_B] - n <= sqrt(n) sum_{{k <= B}} k^(-1/2); exact, n = 1, 2, 3, 5, 8, 13, B <= {REVIEWS}",
        SOURCE,
        _critical_cases,
        partial(critical_slack, factor=1.0),
    ),
    _exact(
        "wait-critical-backlog-root",
        f"sqrt(n) sum_{{k <= B}} k^(-1/2) <= 2 sqrt(n B); exact, n = 1, 2, 3, 5, 8, 13, B <= {REVIEWS}",
        SOURCE,
        _critical_cases,
        partial(square_root_slack, factor=2.0),
    ),
    _exact(
        "wait-slack-backlog",
        f"mu < n: max_B E[W_B] <= 2n + E[(X - n)^2] / (2 (n - mu)); exact, {_BOX}",
        SOURCE,
        _slack_cases,
        partial(slack_case_slack, thresholds=2.0, square=1.0, variance=1.0),
    ),
    _exact(
        "wait-slack-backlog-draft",
        f"mu < n: max_B E[W_B] <= 2n + mu / (2 (n - mu)); exact, {_BOX}",
        f"{SOURCE}, draft of versions 1 and 2, which takes Var(X) for E[(X - n)^2]; true all the same (Kingman)",
        _slack_cases,
        partial(slack_case_slack, thresholds=2.0, square=0.0, variance=1.0),
    ),
    _exact(
        "wait-slack-walk-draft",
        f"mu < n: max_B E[Wt_B] <= 2n + Var(X) / (2 (n - mu)); exact, {_BOX}",
        "ours, after Kingman's bound for the waiting time of a queue: why the draft's constant is right too",
        _slack_cases,
        partial(walk_slack, variance=1.0),
    ),
)
