"""The truth with multiplicative log-normal noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orsched.checks import MAX_TOKENS, check_number
from orsched.prediction import Predictions
from orsched.work import Floats, Ints

if TYPE_CHECKING:
    from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Noise:
    """Predicts ``truth * exp(sigma Z)``, ``Z`` standard normal, rounded to whole tokens and at least 1.

    The factor has median 1: half of the predictions are too small. It promises nothing about single requests.

    Parameters
    ----------
    sigma : float
        Standard deviation of the logarithm, from 0 (the truth) to 10.

    Raises
    ------
    InputError
        When `sigma` is outside that range.
    """

    sigma: float

    def __post_init__(self) -> None:
        check_number(self, "sigma", most=10)

    @property
    def name(self) -> str:
        """Label in tables."""
        return f"noise:{self.sigma:g}"

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Draw independent factors, one per request."""
        return Predictions.of(noisy_lengths(workload.output_tokens, self.sigma * rng.standard_normal(len(workload))))


def noisy_lengths(tokens: Ints, log_factors: Floats) -> Ints:
    """``tokens * exp(log_factors)`` in whole tokens, at least 1; arrays of the same shape."""
    return np.clip(np.rint(tokens * np.exp(log_factors)), 1, MAX_TOKENS).astype(np.int64)
