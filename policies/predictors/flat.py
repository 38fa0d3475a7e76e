"""A predictor of the remaining length that is asked again and again, and learns nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orsched.checks import check_whole
from policies.predictors.error_decay import ErrorDecay
from policies.predictors.remaining_paths import LABEL_SPACING_TOKENS, predict_along

if TYPE_CHECKING:
    from orsched.prediction import Predictions
    from orsched.work import Floats
    from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Flat:
    """Predicts the true remaining length times the factor of `Static`, the same at every refresh.

    The relative error of what is left never falls: the cautious end of what is published about ARES / STAR's predictor,
    `Refreshed` being the other. Over the labels of requests served to their end the error, ``m (o - g)`` after ``g`` of
    ``o`` tokens, is on average half of the ``m o`` of a prediction made once: about the published -49.42%, whatever the
    lengths. It misses the error published after 8,000 tokens. All of it is ours.

    Parameters
    ----------
    period_tokens : int
        Generated tokens between two predictions, at least 1.

    Raises
    ------
    InputError
        When it is no whole number >= 1.
    """

    period_tokens: int = LABEL_SPACING_TOKENS

    def __post_init__(self) -> None:
        check_whole(self, "period_tokens")

    @property
    def name(self) -> str:
        """Label in tables, with the period."""
        return f"flat:{self.period_tokens}"

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Draw the factors, one per request."""
        return predict_along(workload, rng, _sigma, self.period_tokens)


def _sigma(emitted_tokens: Floats, /) -> Floats:
    return np.full(emitted_tokens.shape, ErrorDecay.published().first)
