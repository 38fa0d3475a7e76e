"""Which tier each request of a path belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from orsched.work import Ints

Mix = Callable[[int, int, np.random.Generator], Ints]
"""``mix(requests, tiers, rng)``: number of the tier of each request, in order of arrival."""


@dataclass(frozen=True, slots=True)
class Even:
    """Equal shares, each request independently."""

    def __call__(self, requests: int, tiers: int, rng: np.random.Generator) -> Ints:
        """Draw."""
        return rng.integers(tiers, size=requests)


EVEN = Even()


@dataclass(frozen=True, slots=True)
class InTurn:
    """One tier is favoured for a while, then the next; equal shares in the long run.

    Parameters
    ----------
    requests : int
        For how many requests in a row.
    share : float
        Of the favoured tier; the others share the rest equally.
    """

    requests: int
    share: float

    def __call__(self, requests: int, tiers: int, rng: np.random.Generator) -> Ints:
        """Draw."""
        favoured = np.arange(requests) // self.requests % tiers
        others = rng.integers(1, tiers, size=requests)
        kept = rng.random(requests) < self.share
        return np.where(kept, favoured, (favoured + others) % tiers)
