"""A predictor of the remaining length that learns while tokens are generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_whole
from policies.predictors.error_decay import EVIDENCE_EXPONENT, ErrorDecay
from policies.predictors.remaining_paths import LABEL_SPACING_TOKENS, predict_along

if TYPE_CHECKING:
    import numpy as np

    from orsched.prediction import Predictions
    from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The true remaining length with log-normal noise that falls as tokens are generated, asked again every few tokens.

    The noise passes through the two errors published for the predictor of ARES / STAR on outputs of 30 to 32 thousand
    tokens (`ErrorDecay.published`). Ours are: what lies between and beyond, that shorter outputs have the same relative
    errors, and how errors move along a request (`RemainingPaths`). The factor has median 1. Before the first refresh it
    says what `Static` says under the same seed. No promise for single requests.

    Parameters
    ----------
    period_tokens : int
        Generated tokens between two predictions, at least 1.
    exponent : float
        Of the decay, above 0 and at most 8.

    Raises
    ------
    InputError
        When one is out of range.

    Notes
    -----
    On all outputs together it errs less than the published predictor: `Flat` is the other end.
    """

    period_tokens: int = LABEL_SPACING_TOKENS
    exponent: float = EVIDENCE_EXPONENT

    def __post_init__(self) -> None:
        check_whole(self, "period_tokens")
        ErrorDecay.published(self.exponent)

    @property
    def name(self) -> str:
        """Label in tables: period and exponent."""
        return f"refreshed:{self.period_tokens}:{self.exponent:g}"

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Draw the noise of the prompts; the refresher draws the rest, by request."""
        return predict_along(workload, rng, ErrorDecay.published(self.exponent).sigma, self.period_tokens)
