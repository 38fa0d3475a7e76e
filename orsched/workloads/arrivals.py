"""When requests arrive: the arrival-process protocol and the renewal processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from orsched.checks import check_number
from orsched.work import Floats


class ArrivalProcess(Protocol):
    """Anything that can draw arrival times."""

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw the first `n` arrival times, seconds from time 0; non-decreasing, shape ``(n,)``."""
        ...


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent exponential gaps: the memoryless stream of the queueing literature.

    Parameters
    ----------
    rate_per_s : float
        Requests per second, > 0.

    Raises
    ------
    InputError
        If the rate is not a positive, finite number.
    """

    rate_per_s: float

    def __post_init__(self) -> None:
        check_number(self, "rate_per_s", above=True, unit="requests per second")

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw `n` arrival times (s), shape ``(n,)``."""
        return np.cumsum(rng.exponential(1.0 / self.rate_per_s, size=n))


@dataclass(frozen=True, slots=True)
class GammaRenewal:
    """Independent gamma gaps: ``cv`` 1 is Poisson, above 1 bursty, below 1 regular, 0 a clock.

    Time 0 is an arrival epoch (not counted), so the first request comes one full gap later.

    Parameters
    ----------
    rate_per_s : float
        Requests per second, > 0.
    cv : float
        Coefficient of variation of the gaps (standard deviation over mean), from 0 to 100.

    Raises
    ------
    InputError
        If a parameter is outside its range.
    """

    rate_per_s: float
    cv: float

    def __post_init__(self) -> None:
        check_number(self, "rate_per_s", above=True, unit="requests per second")
        check_number(self, "cv", most=100)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw `n` arrival times (s), shape ``(n,)``."""
        mean_s = 1.0 / self.rate_per_s
        if self.cv == 0:
            return np.cumsum(np.full(n, mean_s))
        squared = self.cv**2
        return np.cumsum(rng.gamma(1.0 / squared, mean_s * squared, size=n))
