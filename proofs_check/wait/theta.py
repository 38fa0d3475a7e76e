"""Nested WAIT's decay exponent theta_k (arXiv 2504.11320): its lower bound, and the first version's misprint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from policies.wait.drift import theta_root
from proofs_check.claim import Claim
from proofs_check.rules import Instance

PAPER = "arXiv 2504.11320"


def _random_segment(rng: np.random.Generator) -> Instance:
    """Thresholds and survival with drift: ``p < n_k / n_{k-1} < 1``."""
    entering = int(rng.integers(2, 400))
    threshold = int(rng.integers(1, entering))
    survival = float(rng.uniform(0.01, 0.99) * threshold / entering)
    return {"n_before": entering, "n": threshold, "p": survival}


def _slack_against(denominator: str) -> Callable[[Instance], float]:
    def slack(x: Instance) -> float:
        drift: float = x["n"] - x["n_before"] * x["p"]
        return theta_root(x["n_before"], x["n"], x["p"]) - float(8 * drift / x[denominator])

    return slack


CLAIMS = (
    Claim(
        "wait-nested-theta-lower-bound",
        "theta_k >= 8 (n_k - n_{k-1} p_k) / n_{k-1}",
        f"{PAPER}, memory requirement of Nested WAIT (journal revision)",
        _random_segment,
        _slack_against("n_before"),
    ),
    Claim(
        "wait-nested-theta-first-version",
        "theta_k >= 8 (n_k - n_{k-1} p_k) / n_k",
        f"{PAPER}, first version: divides by n_k instead of n_(k-1)",
        _random_segment,
        _slack_against("n"),
        known_false=True,
    ),
)
