"""Predicted remaining lengths of all requests along their generation, the same in whatever order they are read."""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from orsched.prediction import Predictions
from orsched.work import Floats, Ints
from policies.predictors.noise import noisy_lengths

if TYPE_CHECKING:
    from orsched.workloads import Workload

LABEL_SPACING_TOKENS = 20
"""Generated tokens between two labels of the training data of ARES' predictor (arXiv 2510.13668, as third parties
report it). How often it is asked while serving is not published."""

KEPT_PATHS = 16_384
"""Requests whose predictions are kept at a time; those of others are drawn again, to the same numbers."""


class SigmaLaw(Protocol):
    """How large the log-normal error of a predicted remaining length is."""

    def __call__(self, emitted_tokens: Floats, /) -> Floats:
        """Sigma after so many generated tokens, same shape; above 0 and never rising with them."""
        ...


def predict_along(workload: Workload, rng: np.random.Generator, sigma: SigmaLaw, period_tokens: int) -> Predictions:
    """Draw the noise of the prompts, one per request, and a key for all later noise.

    The points are those of `Noise` with ``sigma(0)`` under the same generator, and what the refresher says at first.
    """
    noise = rng.standard_normal(len(workload))
    key = int(rng.integers(2**64, dtype=np.uint64))
    paths = RemainingPaths(workload.output_tokens, noise, key, sigma, period_tokens)
    return Predictions.of(noisy_lengths(workload.output_tokens, sigma(np.zeros(1)) * noise), refresher=paths)


class RemainingPaths:
    """A refresher: true remaining length times a log-normal factor that moves along one path per request.

    At its ``k``-th refresh a request of output length ``o`` has emitted ``g = k period`` tokens, and what is predicted
    to be left is ``(o - g) exp(e_k)``, in whole tokens and at least 1. Until the next refresh the prediction counts
    down with the tokens emitted, to no less than 1. ``e_k`` is normal with mean 0 and standard deviation
    ``sigma_k = sigma(g)``::

        e_k = sigma_k^2 sum_{j <= k} sqrt(1 / sigma_j^2 - 1 / sigma_{j-1}^2) Z_j,        1 / sigma_{-1} = 0,

    the error of a precision-weighted mean of independent readings: the ``j``-th refresh adds one, of precision
    ``1 / sigma_j^2 - 1 / sigma_{j-1}^2``. Hence ``corr(e_j, e_k) = sigma_k / sigma_j`` for ``j <= k``, and what the
    refreshes between change, ``e_j - e_k``, is independent of the error ``e_k`` that is left. All of it is ours.

    Parameters
    ----------
    output_tokens : ndarray of int64
        True lengths, shape ``(n,)``.
    first_noise : ndarray of float64
        ``Z_0`` of each request, shape ``(n,)``.
    key : int
        Key of the run, 64 bits. The later ``Z`` of a request are the stream of Philox, a counter-based generator, under
        the key ``(key, request)``: so they depend on neither other requests nor the order of questions.
    sigma : SigmaLaw
        Gives ``sigma(g)``; where it does not fall, nothing is learnt and ``e`` stays.
    period_tokens : int
        Generated tokens between two refreshes.
    """

    __slots__ = ("_first_noise", "_key", "_output_tokens", "_period", "_predicted", "_sigma")

    def __init__(self, output_tokens: Ints, first_noise: Floats, key: int, sigma: SigmaLaw, period_tokens: int) -> None:
        self._output_tokens = output_tokens
        self._first_noise = first_noise
        self._key = key
        self._sigma = sigma
        self._period = period_tokens
        self._predicted = lru_cache(maxsize=KEPT_PATHS)(self._draw)

    def __call__(self, request: int, emitted_tokens: int, /) -> float:
        """Return the predicted remaining length of `request` at its latest refresh, less what it emitted since."""
        predicted = self._predicted(request)
        refresh = min(emitted_tokens // self._period, len(predicted) - 1)
        return max(predicted[refresh] - (emitted_tokens - refresh * self._period), 1)

    def _draw(self, request: int) -> array[int]:
        """Predictions of `request` at each of its refreshes, tokens."""
        length = int(self._output_tokens[request])
        emitted = np.arange(0, length, self._period)
        noise = np.empty(len(emitted))
        noise[0] = self._first_noise[request]
        stream = np.random.Generator(np.random.Philox(key=np.array([self._key, request], dtype=np.uint64)))
        stream.standard_normal(out=noise[1:])
        sigma = self._sigma(emitted.astype(np.float64))
        precision = sigma**-2
        error = np.cumsum(np.sqrt(np.diff(precision, prepend=0.0)) * noise) / precision
        error[0] = sigma[0] * noise[0]  # To the last bit what the point of the prediction is made of.
        return array("q", noisy_lengths(length - emitted, error).tobytes())
