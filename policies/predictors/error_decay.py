"""How the error of a length predictor falls while tokens are generated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from orsched.checks import check_number, require_number
from orsched.errors import InputError
from orsched.work import Floats

PUBLISHED_OUTPUT_TOKENS = 31_000
"""Middle of the published bucket, outputs of 30 to 32 thousand tokens; that it stands for the bucket is ours."""

PUBLISHED_ERRORS = ((0, 18_256.0), (8_000, 2_929.0))
"""Tokens generated, and mean absolute error of the predicted remaining length in that bucket, tokens (arXiv 2510.13668,
as third parties report it)."""

EVIDENCE_EXPONENT = 0.5
"""Every generated token tells equally much: the precision ``1 / sigma(g)^2`` grows linearly (ours)."""

MOST_SIGMA = 10.0


def relative_error(sigma: float) -> float:
    """Mean absolute error of ``exp(sigma Z)`` as a prediction of 1, ``Z`` standard normal.

    With ``Phi`` the normal distribution function and ``E[exp(sigma Z); Z > 0] = exp(sigma^2 / 2) Phi(sigma)``::

        E|exp(sigma Z) - 1| = (exp(sigma^2 / 2) Phi(sigma) - 1/2) + (1/2 - exp(sigma^2 / 2) Phi(-sigma))
                            = exp(sigma^2 / 2) erf(sigma / sqrt(2))

    It increases in `sigma` from 0 without bound. The factor has median 1: the least expected absolute error, which the
    published predictor is trained for, is that of a conditional median.
    """
    return math.exp(sigma * sigma / 2) * math.erf(sigma / math.sqrt(2))


def sigma_of(error: float) -> float:
    """The sigma whose `relative_error` is `error` (at least 0), by root finding.

    Raises
    ------
    InputError
        When `error` is no number >= 0, or that sigma is above 10.
    """
    from scipy.optimize import brentq

    require_number("relative error", error, most=relative_error(MOST_SIGMA))
    return float(brentq(lambda sigma: relative_error(sigma) - error, 0.0, MOST_SIGMA, xtol=1e-14))


@dataclass(frozen=True, slots=True)
class ErrorDecay:
    """Sigma of the log-normal error of a predicted remaining length: ``sigma(g) = first (1 + g / scale)^-exponent``.

    Parameters
    ----------
    first : float
        Sigma from the prompt alone, above 0 and at most 10.
    scale_tokens : float
        Generated tokens after which it has fallen to ``2^-exponent`` of that; above 0.
    exponent : float
        Above 0 and at most 8.

    Raises
    ------
    InputError
        When one is out of range.

    Notes
    -----
    The form is ours. With exponent 1/2 it follows from one assumption, that each generated token brings an independent
    reading of equal precision; larger exponents start flatter and end steeper, towards an exponential decay.
    """

    first: float
    scale_tokens: float
    exponent: float = EVIDENCE_EXPONENT

    def __post_init__(self) -> None:
        check_number(self, "first", above=True, most=MOST_SIGMA)
        check_number(self, "scale_tokens", above=True)
        check_number(self, "exponent", above=True, most=8)

    @classmethod
    def through(cls, first: float, emitted_tokens: float, later: float, exponent: float) -> ErrorDecay:
        """The decay with sigma `first` at 0 and `later` at `emitted_tokens`.

        Raises
        ------
        InputError
            When `later` is not below `first`, or a number is out of range.
        """
        require_number("exponent", exponent, above=True, most=8)
        if not 0 < later < first:
            raise InputError(f"sigma {first:g} from the prompt and {later:g} later: must fall, and stay above 0")
        return cls(first, emitted_tokens / ((first / later) ** (1 / exponent) - 1), exponent)

    @classmethod
    def published(cls, exponent: float = EVIDENCE_EXPONENT) -> ErrorDecay:
        """The decay through both `PUBLISHED_ERRORS`, relative to what is left of `PUBLISHED_OUTPUT_TOKENS`."""
        first, later = _published_sigmas()
        return cls.through(first, PUBLISHED_ERRORS[1][0], later, exponent)

    def sigma(self, emitted_tokens: Floats, /) -> Floats:
        """Sigma after so many generated tokens, any shape."""
        return np.asarray(self.first * (1 + emitted_tokens / self.scale_tokens) ** -self.exponent)


@cache
def _published_sigmas() -> tuple[float, float]:
    first, later = (sigma_of(error / (PUBLISHED_OUTPUT_TOKENS - emitted)) for emitted, error in PUBLISHED_ERRORS)
    return first, later
