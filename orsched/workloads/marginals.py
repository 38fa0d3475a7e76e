"""Laws of one length in tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from orsched.checks import MAX_TOKENS, check_number, check_numbers, check_whole, token_column
from orsched.errors import InputError
from orsched.work import Ints


class Marginal(Protocol):
    """Anything that can draw lengths."""

    def sample(self, n: int, rng: np.random.Generator) -> Ints:
        """Draw `n` independent lengths in tokens, whole numbers >= 1, shape ``(n,)``."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always `tokens` (a whole number >= 1, else InputError)."""

    tokens: int

    def __post_init__(self) -> None:
        check_whole(self, "tokens")

    @property
    def mean_tokens(self) -> float:
        """Exact mean."""
        return float(self.tokens)

    def sample(self, n: int, rng: np.random.Generator) -> Ints:
        """Return `n` copies, shape ``(n,)``."""
        return np.full(n, self.tokens, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Uniform:
    """Whole numbers from `low` to `high` tokens, both included (1 <= low <= high, else InputError)."""

    low: int
    high: int

    def __post_init__(self) -> None:
        check_whole(self, "low")
        check_whole(self, "high")
        if self.low > self.high:
            raise InputError(f"Uniform.low = {self.low} exceeds Uniform.high = {self.high}")

    @property
    def mean_tokens(self) -> float:
        """Exact mean."""
        return (self.low + self.high) / 2

    def sample(self, n: int, rng: np.random.Generator) -> Ints:
        """Draw `n` lengths, shape ``(n,)``."""
        return rng.integers(self.low, self.high, size=n, endpoint=True, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Geometric:
    """``P(k) = (1 - 1/m)^(k-1) / m``, ``k >= 1``; mean ``m = mean_tokens`` (1 to 1e7), else InputError."""

    mean_tokens: float

    def __post_init__(self) -> None:
        check_number(self, "mean_tokens", least=1, most=1e7, unit="tokens")

    def sample(self, n: int, rng: np.random.Generator) -> Ints:
        """Draw `n` lengths, shape ``(n,)``."""
        return rng.geometric(1.0 / self.mean_tokens, size=n).astype(np.int64)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A log-normal number, rounded to the nearest whole number and moved into ``[1, cap_tokens]``.

    Parameters
    ----------
    median_tokens : float
        Median before rounding, > 0.
    sigma : float
        Standard deviation of the logarithm, from 0 to 10.
    cap_tokens : int
        Largest length; what exceeds it counts as `cap_tokens`, as a server's length limit does.

    Raises
    ------
    InputError
        If a parameter is outside its range.
    """

    median_tokens: float
    sigma: float
    cap_tokens: int

    def __post_init__(self) -> None:
        check_number(self, "median_tokens", above=True, most=MAX_TOKENS, unit="tokens")
        check_number(self, "sigma", most=10)
        check_whole(self, "cap_tokens")

    @classmethod
    def with_mean(cls, mean_tokens: float, sigma: float, cap_tokens: int) -> LogNormal:
        """Build the law whose mean, before rounding and capping, is `mean_tokens`."""
        return cls(mean_tokens * math.exp(-(sigma**2) / 2), sigma, cap_tokens)

    def sample(self, n: int, rng: np.random.Generator) -> Ints:
        """Draw `n` lengths, shape ``(n,)``."""
        drawn = rng.lognormal(math.log(self.median_tokens), self.sigma, size=n)
        return np.clip(np.rint(drawn), 1, self.cap_tokens).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Empirical:
    """A finite law: length ``values[i]`` with probability ``probabilities[i]``.

    Parameters
    ----------
    values : tuple of int
        Lengths in tokens, >= 1.
    probabilities : tuple of float
        One for each value, >= 0, with sum 1 (to 1e-6; rescaled to 1 exactly).

    Raises
    ------
    InputError
        If a value is no length, or the probabilities are none.
    """

    values: tuple[int, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths, weights = token_column("Empirical.values", self.values), check_numbers(self, "probabilities")
        if len(lengths) != len(weights):
            raise InputError(f"Empirical: {len(lengths)} values but {len(weights)} probabilities: one each")
        if abs(weights.sum() - 1) > 1e-6:
            raise InputError(f"Empirical.probabilities sum to {weights.sum():.9g}: must sum to 1")

    @property
    def mean_tokens(self) -> float:
        """Exact mean."""
        return float(np.average(self.values, weights=self.probabilities))

    def sample(self, n: int, rng: np.random.Generator) -> Ints:
        """Draw `n` lengths, shape ``(n,)``."""
        weights = np.array(self.probabilities, dtype=float)
        return rng.choice(np.array(self.values, dtype=np.int64), size=n, p=weights / weights.sum())
