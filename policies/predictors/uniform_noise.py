"""The truth with multiplicative uniform noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orsched.checks import check_number
from orsched.prediction import Predictions

if TYPE_CHECKING:
    from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class UniformNoise:
    """Predicts ``truth * F``, ``F`` uniform on ``[1 - eps, 1 + eps]``, rounded to whole tokens and at least 1.

    Promise: the point is off by at most ``eps * truth``, and half a token for the rounding.

    Parameters
    ----------
    eps : float
        Largest relative error, at least 0 and below 1.

    Raises
    ------
    InputError
        When `eps` is outside that range.

    Notes
    -----
    The noise of the MC-SF paper's experiments (arXiv 2502.07115, with eps 0.2, 0.5 and 0.8), as third parties report
    it.
    """

    eps: float

    def __post_init__(self) -> None:
        check_number(self, "eps", most=1, below=True)

    @property
    def name(self) -> str:
        """Label in tables."""
        return f"uniform:{self.eps:g}"

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Draw independent factors, one per request."""
        factors = rng.uniform(1 - self.eps, 1 + self.eps, len(workload))
        return Predictions.of(np.maximum(1, np.rint(workload.output_tokens * factors)).astype(np.int64))
