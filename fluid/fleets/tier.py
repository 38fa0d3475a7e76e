"""Service tiers: requests that share a latency objective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fluid.demand import ClassRate, Demand, Rates
from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class Tier:
    """Requests of one tier, with the limits under which a completion counts.

    Parameters
    ----------
    name : str
        Label; also the key in tables.
    tpot_s : float
        Longest time allowed between two consecutive output tokens of a request, seconds, > 0.
    classes : tuple of ClassRate
        What arrives, for the whole fleet.
    ttft_s : float
        Longest time to the first token, seconds; infinite when there is no such limit.
    weight : float
        Worth of a completed request, >= 0.

    Examples
    --------
    >>> chat = Tier("chat", 0.05, (ClassRate(8.0, 500, 250),))
    >>> chat.rate_per_s
    8.0
    """

    name: str
    tpot_s: float
    classes: tuple[ClassRate, ...]
    ttft_s: float = math.inf
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.classes:
            raise InputError(f"tier {self.name!r} has no requests: give at least one class")
        if not 0 < self.tpot_s < math.inf or not self.ttft_s > 0:
            raise InputError(
                f"tier {self.name!r}: tpot_s = {self.tpot_s!r} must be finite and > 0, ttft_s = {self.ttft_s!r} > 0"
            )
        if not 0 <= self.weight < math.inf:
            raise InputError(f"tier {self.name!r}: weight = {self.weight!r} must be finite and >= 0")

    @classmethod
    def of(cls, name: str, tpot_s: float, demand: Demand, *, ttft_s: float = math.inf, weight: float = 1.0) -> Tier:
        """Tier of a workload (its distinct pairs of lengths at its own rate) or of classes."""
        return cls(name, tpot_s, Rates.of(demand).classes(), ttft_s, weight)

    @property
    def rate_per_s(self) -> float:
        """Requests per second of all its classes."""
        return sum(c.rate_per_s for c in self.classes)


def require_tiers(tiers: Sequence[Tier]) -> None:
    """Refuse an empty list and repeated names."""
    names = [tier.name for tier in tiers]
    if not names or len(set(names)) != len(names):
        raise InputError(f"tiers {names!r}: need at least one tier, with distinct names")
