"""Ways to use a server: chip, role and the limit its iterations keep, with what it then sustains and costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fluid.fleets.server_rate import Role, server_rate
from fluid.fleets.tier import Tier
from orsched.catalogue import Hardware
from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class ServerOption:
    """One way to use a server of some chip; from measurements, or from a service model by `server_options`.

    Parameters
    ----------
    name : str
        Label, distinct among the options of a programme.
    chip : str
        What is bought or in stock.
    role : {"prefill", "decode", "mixed"}
        Which part of a request it serves.
    rates_per_s : mapping of str to float
        By tier, the requests per second that one server sustains if it serves nothing else and keeps the tier's
        limits; >= 0, a tier that is missing cannot be served. Several tiers share its time: the sum of rate / (largest
        rate) is at most one per server.
    cost : float
        Of one server, in any unit; >= 0.
    power_w : float, optional
        Of one server (a TDP, for instance), watts.
    kv_tokens : float
        KV memory for what `kv_token_s` charges; infinite when the rates allow for memory already.
    kv_token_s : mapping of str to float
        By tier, KV tokens held times seconds held, per request.
    transfer_tokens_per_s : float
        KV tokens per second that one server sends after prefill, or receives before decoding.
    """

    name: str
    chip: str
    role: Role
    rates_per_s: Mapping[str, float]
    cost: float
    power_w: float | None = None
    kv_tokens: float = math.inf
    kv_token_s: Mapping[str, float] = field(default_factory=dict)
    transfer_tokens_per_s: float = math.inf

    def __post_init__(self) -> None:
        if self.role not in ("prefill", "decode", "mixed"):
            raise InputError(f"option {self.name!r}: role = {self.role!r}: must be 'prefill', 'decode' or 'mixed'")
        numbers = {f"rate of {tier}": rate for tier, rate in self.rates_per_s.items()}
        numbers |= {f"KV token-seconds of {tier}": value for tier, value in self.kv_token_s.items()}
        numbers |= {"cost": self.cost, "power_w": self.power_w or 0.0}
        numbers |= {"kv_tokens": self.kv_tokens, "transfer_tokens_per_s": self.transfer_tokens_per_s}
        for name, value in numbers.items():
            if not value >= 0:
                raise InputError(f"option {self.name!r}: {name} = {value!r}: must be >= 0")
        if not math.isfinite(self.cost) or not math.isfinite(self.power_w or 0.0):
            raise InputError(f"option {self.name!r}: cost = {self.cost!r}, power_w = {self.power_w!r}: must be finite")

    def serves(self, tier: str) -> bool:
        """Whether it sustains any rate of a tier."""
        return self.rates_per_s.get(tier, 0.0) > 0


def server_options(
    hardware: Hardware,
    tiers: Sequence[Tier],
    role: Role,
    *,
    cost: float,
    power_w: float | None = None,
    transfer_tokens_per_s: float = math.inf,
    token_budget: int | None = None,
) -> tuple[ServerOption, ...]:
    """Options of one chip in one role, one for each limit among the tiers: its rates by `server_rate`.

    A server that keeps a limit serves every tier with that limit or a looser one. The limit is on each iteration: the
    TPOT for servers that decode, the TTFT for those that only prefill (where a whole batch of prompts may take that
    long; waiting before it is not planned for). Mixed servers keep the TTFT of their tiers too.

    Parameters
    ----------
    hardware : Hardware
        The chip with its model.
    tiers : sequence of Tier
        Their mixes and limits; the rates of a tier are for its mix.
    role : {"prefill", "decode", "mixed"}
        What the servers do.
    cost : float
        Of one server.
    power_w, transfer_tokens_per_s : float, optional
        As in `ServerOption`.
    token_budget : int, optional
        Most prompt tokens per iteration.

    Examples
    --------
    >>> from fluid import ClassRate
    >>> from orsched.service import Affine
    >>> gpu = Hardware("gpu", Affine(0.01, 0.0, 1e-3, 0.0), kv_capacity_tokens=10**6)
    >>> tiers = [Tier("fast", 0.05, (ClassRate(1.0, 100, 11),)), Tier("slow", 0.1, (ClassRate(1.0, 100, 11),))]
    >>> for option in server_options(gpu, tiers, "decode", cost=1.0):
    ...     print(option.name, {tier: round(rate, 3) for tier, rate in option.rates_per_s.items()})
    gpu decode 0.05 s {'fast': 80.0, 'slow': 80.0}
    gpu decode 0.1 s {'slow': 90.0}
    """

    def limit_s(tier: Tier) -> float:
        return tier.ttft_s if role == "prefill" else tier.tpot_s if role == "decode" else min(tier.tpot_s, tier.ttft_s)

    found = []
    for limit in sorted({limit_s(tier) for tier in tiers}):
        rates = {
            tier.name: server_rate(hardware, tier.classes, limit, role, token_budget=token_budget).rate_per_s
            for tier in tiers
            if limit_s(tier) >= limit
        }
        label = f"{hardware.name} {role}" + (f" {limit:g} s" if math.isfinite(limit) else "")
        found.append(
            ServerOption(
                name=label,
                chip=hardware.name,
                role=role,
                rates_per_s=rates,
                cost=cost,
                power_w=power_w,
                transfer_tokens_per_s=transfer_tokens_per_s,
            )
        )
    return tuple(found)
