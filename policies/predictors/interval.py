"""An interval that surely contains the true output length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orsched.checks import check_number
from orsched.prediction import Predictions

if TYPE_CHECKING:
    from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Interval:
    """Predicts ``[l, u]`` with ``l / u = alpha`` that contains the truth; the point is ``u``.

    Promise: ``l <= truth <= u`` for every request, and ``l`` is the whole number nearest to ``alpha u`` unless that
    lies below 1 or above the truth. The point is the upper end, so that a policy which plans with it is never
    surprised; one that plans with the lower end (A_min) says so with `Policy.plans_with`, one that uses both ends reads
    `InstanceView.output_interval`.

    Parameters
    ----------
    alpha : float
        Accuracy, from 1e-6 to 1; 1 is the truth.

    Raises
    ------
    InputError
        When `alpha` is outside that range.

    Notes
    -----
    The interval and ``alpha = l / u``: Chen, Ye, Zhou, arXiv 2508.14544, where one interval holds for all requests. An
    interval for each request, and a truth whose place in it is uniform, are ours.
    """

    alpha: float

    def __post_init__(self) -> None:
        check_number(self, "alpha", least=1e-6, most=1)

    @property
    def name(self) -> str:
        """Label in tables."""
        return f"interval:{self.alpha:g}"

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Draw the place of the truth in its interval, uniformly: 0 is the lower end, 1 the upper."""
        truth = workload.output_tokens
        place = rng.random(len(truth))
        high = np.rint(truth / (self.alpha + place * (1 - self.alpha))).astype(np.int64)
        low = np.clip(np.rint(self.alpha * high).astype(np.int64), 1, truth)
        return Predictions.of(high, low, high)
