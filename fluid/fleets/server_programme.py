"""Whole servers in chosen roles and the rates they serve, as a mixed-integer programme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from fluid.fleets.server_option import ServerOption
from fluid.fleets.tier_demand import TierDemand
from fluid.integer import Draft, IntegerProgramme
from orsched.errors import InputError, unknown_name
from orsched.work import Floats

Expense = Literal["cost", "power_w"]


class ServerProgramme:
    """Columns and rows that provisioning and goodput plans share.

    For every option o a whole number of servers ``n_o``, for every tier k that it serves a rate ``x_ok``:

        sum_k x_ok / rate_ok <= n_o                                       (time)
        sum_k x_ok kv_token_s_ok <= n_o kv_tokens_o                       (KV memory, where it is finite)
        sum_k x_ok transfer_k <= n_o transfer_o                           (prefill and decode, where it is finite)
        sum over prefill x_ok = sum over decode x_ok                      (each tier: what decodes was prefilled)
        sum over options of a chip n_o <= stock                           (chips with a stock)

    The time row is safe for rates from a service model whose iteration time is convex in the batch (affine and hinged
    ones are): what a server sustains at a given limit is then a convex set that holds the origin and each tier's
    own largest rate, hence all their mixtures.

    Parameters
    ----------
    demands : sequence of TierDemand
        Names distinct.
    options : sequence of ServerOption
        Names distinct.
    stock : mapping of str to int
        Servers there are of a chip; chips not named are unlimited.
    largest : float
        Largest multiple of the rates that is ever of interest.
    """

    def __init__(
        self,
        demands: Sequence[TierDemand],
        options: Sequence[ServerOption],
        stock: Mapping[str, int],
        *,
        largest: float = 1.0,
    ) -> None:
        _check(demands, options, stock)
        self.demands, self.options, self.stock, self.largest = demands, options, stock, largest
        self._draft = Draft()
        self._count = [
            self._draft.column(f"servers {o.name}", upper=float(self._most_servers(o)), whole=True) for o in options
        ]
        self._rate = {
            (o.name, d.name): self._draft.column(f"{d.name} on {o.name}", upper=largest * d.rate_per_s)
            for o in options
            for d in demands
            if o.serves(d.name)
        }
        for option, count in zip(options, self._count, strict=True):
            self._capacity(option, count)
        for demand in demands:
            flow = self._served(demand, "prefill")
            flow |= dict.fromkeys(self._served(demand, "decode"), -1.0)
            self._draft.row(f"what decodes of tier {demand.name!r} is prefilled", flow, low=0.0, high=0.0)
        for chip, servers in stock.items():
            used = {n: 1.0 for o, n in zip(options, self._count, strict=True) if o.chip == chip}
            self._draft.row(f"{servers} servers of chip {chip!r}", used, high=float(servers))

    def provision(self, minimise: Expense, power_cap_w: float | None) -> IntegerProgramme:
        """Least expense for which every tier is served at its rate."""
        for demand in self.demands:
            self._draft.row(f"rate of tier {demand.name!r}", self._completed(demand), low=demand.rate_per_s)
        for option, count in zip(self.options, self._count, strict=True):
            self._draft.charge(count, expense(option, minimise))
        if power_cap_w is not None:
            power = {n: expense(o, "power_w") for o, n in zip(self.options, self._count, strict=True)}
            self._draft.row(f"power cap of {power_cap_w:g} W", power, high=power_cap_w)
        return self._draft.programme()

    def goodput(self) -> IntegerProgramme:
        """Most weighted requests per second, each tier up to its rate; the objective is its negative."""
        for demand in self.demands:
            completed = self._completed(demand)
            self._draft.row(f"rate of tier {demand.name!r}", completed, high=demand.rate_per_s)
            for column in completed:
                self._draft.charge(column, -demand.weight)
        return self._draft.programme()

    def multiplier(self) -> IntegerProgramme:
        """Largest common multiple of all rates that can be served; the objective is its negative."""
        factor = self._draft.column("common multiple of all rates", cost=-1.0, upper=self.largest)
        for demand in self.demands:
            terms = {**self._completed(demand), factor: -demand.rate_per_s}
            self._draft.row(f"rate of tier {demand.name!r}", terms, low=0.0)
        return self._draft.programme()

    def counts(self, x: Floats) -> dict[str, int]:
        """Servers of each option at a point."""
        return {o.name: round(float(x[n])) for o, n in zip(self.options, self._count, strict=True)}

    def rates(self, x: Floats) -> dict[tuple[str, str], float]:
        """Rate of each tier on each option, by (option, tier)."""
        return {key: float(x[column]) for key, column in self._rate.items()}

    def _capacity(self, option: ServerOption, count: int) -> None:
        rates = {d: self._rate[option.name, d.name] for d in self.demands if option.serves(d.name)}
        time = {column: 1.0 / option.rates_per_s[d.name] for d, column in rates.items()}
        self._draft.row(f"time of {option.name}", {**time, count: -1.0}, high=0.0)
        if math.isfinite(option.kv_tokens):
            held = {column: option.kv_token_s.get(d.name, 0.0) for d, column in rates.items()}
            self._draft.row(f"KV memory of {option.name}", {**held, count: -option.kv_tokens}, high=0.0)
        if math.isfinite(option.transfer_tokens_per_s) and option.role != "mixed":
            moved = {column: d.transfer_tokens for d, column in rates.items()}
            self._draft.row(f"KV transfer of {option.name}", {**moved, count: -option.transfer_tokens_per_s}, high=0.0)

    def _served(self, demand: TierDemand, role: str) -> dict[int, float]:
        return {
            self._rate[o.name, demand.name]: 1.0
            for o in self.options
            if o.role == role and (o.name, demand.name) in self._rate
        }

    def _completed(self, demand: TierDemand) -> dict[int, float]:
        return self._served(demand, "decode") | self._served(demand, "mixed")

    def _most_servers(self, option: ServerOption) -> int:
        """Enough to serve all demand with this option alone: more never help."""
        each = 0.0
        for d in self.demands:
            if option.serves(d.name):
                shares = [1.0 / option.rates_per_s[d.name]]
                if option.kv_tokens > 0:
                    shares.append(option.kv_token_s.get(d.name, 0.0) / option.kv_tokens)
                if option.transfer_tokens_per_s > 0:
                    shares.append(d.transfer_tokens / option.transfer_tokens_per_s)
                each += self.largest * d.rate_per_s * max(shares)
        return math.ceil(each) + 1


def expense(option: ServerOption, what: Expense) -> float:
    """What one server of an option costs in the unit asked for.

    Raises
    ------
    InputError
        When its power is asked for and not known.
    """
    if what == "cost":
        return option.cost
    if option.power_w is None:
        raise InputError(f"option {option.name!r} has no power_w: give it, or minimise cost without a power cap")
    return option.power_w


def _check(demands: Sequence[TierDemand], options: Sequence[ServerOption], stock: Mapping[str, int]) -> None:
    for what, names in (("tiers", [d.name for d in demands]), ("options", [o.name for o in options])):
        if not names or len(set(names)) != len(names):
            raise InputError(f"{what} {names!r}: need at least one, with distinct names")
    chips = {option.chip for option in options}
    for chip, servers in stock.items():
        if chip not in chips:
            raise unknown_name("chip in stock", chip, chips)
        if isinstance(servers, bool) or not isinstance(servers, int) or servers < 0:
            raise InputError(f"stock of {chip!r} = {servers!r}: must be a whole number >= 0")


def unserved(demand: TierDemand, options: Sequence[ServerOption]) -> str | None:
    """Say why no option or pair of options serves a tier; None when some do."""
    roles = {o.role for o in options if o.serves(demand.name)}
    if "mixed" in roles or {"prefill", "decode"} <= roles:
        return None
    missing = [role for role in ("prefill", "decode") if role not in roles]
    offered = ", ".join(sorted({o.chip for o in options}))
    return (
        f"tier {demand.name!r}: no mixed server sustains it within its limits, and no server for "
        f"{' or '.join(missing)} does (chips offered: {offered}); relax its TPOT or TTFT, or offer a faster chip"
    )
