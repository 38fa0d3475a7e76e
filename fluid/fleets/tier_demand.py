"""What a tier asks of a fleet, in plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fluid.fleets.tier import Tier
from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class TierDemand:
    """What a tier asks of a fleet.

    Parameters
    ----------
    name : str
        The tier.
    rate_per_s : float
        Requests per second, > 0.
    transfer_tokens : float
        KV tokens per request that move from prefill to decode when these are on different servers.
    weight : float
        Worth of a request, >= 0, where not all can be served.
    """

    name: str
    rate_per_s: float
    transfer_tokens: float = 0.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.rate_per_s < math.inf:
            raise InputError(f"tier {self.name!r}: rate_per_s = {self.rate_per_s!r}: must be finite and > 0")
        for field in ("transfer_tokens", "weight"):
            if not 0 <= getattr(self, field) < math.inf:
                raise InputError(f"tier {self.name!r}: {field} = {getattr(self, field)!r}: must be finite and >= 0")

    @classmethod
    def of(cls, tier: Tier) -> TierDemand:
        """Demand of a tier: its rate, its mean prompt to transfer, its weight."""
        prompts = sum(c.rate_per_s * c.input_tokens for c in tier.classes)
        return cls(tier.name, tier.rate_per_s, prompts / tier.rate_per_s, tier.weight)
