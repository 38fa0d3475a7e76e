"""The error of a predictor that sees the prompt only and is never asked again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.predictors.error_decay import ErrorDecay
from policies.predictors.noise import Noise

if TYPE_CHECKING:
    import numpy as np

    from orsched.prediction import Predictions
    from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Static:
    """Predicts ``truth * exp(sigma Z)`` with the sigma at which `Refreshed` starts, and stays with it.

    That sigma is the published error of the predictor of ARES / STAR before the first token (`ErrorDecay.published`),
    for outputs of 30 to 32 thousand tokens; that shorter outputs have the same relative error is ours. The factor has
    median 1. No promise for single requests.
    """

    @property
    def name(self) -> str:
        """Label in tables."""
        return "static"

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Draw independent factors, one per request: those that `Refreshed` begins with under the same seed."""
        return Noise(ErrorDecay.published().first)(workload, rng)
