"""The true output lengths as predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.prediction import Predictions

if TYPE_CHECKING:
    import numpy as np

    from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Oracle:
    """Predicts the truth: the yardstick of the others. It promises ``low = point = high = truth``."""

    @property
    def name(self) -> str:
        """Label in tables."""
        return "oracle"

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Return the true lengths; `rng` is not used."""
        return Predictions.of(workload.output_tokens)
