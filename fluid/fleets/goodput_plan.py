"""An achievable goodput plan: whole servers for each tier, beside the bound that no policy exceeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fluid.branch_and_bound import solve_integer
from fluid.fleets.goodput_bound import GoodputBound, goodput_bound, tiers_subject
from fluid.fleets.server_option import ServerOption, server_options
from fluid.fleets.server_plan import ServerPlan, server_plan
from fluid.fleets.server_programme import ServerProgramme, unserved
from fluid.fleets.server_rate import Role
from fluid.fleets.tier import Tier, require_tiers
from fluid.fleets.tier_demand import TierDemand
from orsched.errors import InputError
from orsched.fleet import Fleet


@dataclass(frozen=True, slots=True, eq=False)
class GoodputPlan:
    """Servers by tier, and how far they are from what is possible.

    Parameters
    ----------
    plan : ServerPlan
        Whole servers and rates; its bounds hold for plans of this form (each server has one role and keeps one limit).
    limit : GoodputBound
        The bound for every policy.
    unserved : tuple of str
        Why some tier gets no server at all, in words.
    """

    plan: ServerPlan
    limit: GoodputBound
    unserved: tuple[str, ...]

    @property
    def gap(self) -> float | None:
        """``(bound - plan) / bound`` to the bound for every policy; None without a plan or for a zero bound."""
        bound, value = self.limit.bound, self.plan.value
        if value is None or bound.value <= 0:
            return None
        return bound.gap(value, metric=bound.metric, subject=bound.subject)

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per tier: offered rate, planned rate, rate at the optimum of the bound."""
        rows = self.limit.to_rows()
        for row in rows:
            rates = (rate for (_, tier), rate in self.plan.rates_per_s.items() if tier == row["tier"])
            row["planned_per_s"] = sum(rates)
        return rows


def goodput_plan(
    tiers: Sequence[Tier],
    fleets: Sequence[Fleet],
    *,
    scaled: bool = False,
    roles: Sequence[Role] = ("mixed",),
    transfer_tokens_per_s: float = math.inf,
    token_budget: int | None = None,
    time_limit_s: float | None = None,
) -> GoodputPlan:
    """Give whole servers to tiers so that as much as possible is served within the limits.

    Every server has one role and keeps one limit h, the TPOT (or, for prefill, the TTFT) of some tier; it serves tiers
    with that limit or looser ones (a looser tier may be a guest of a tighter one). Its rate for each tier is
    `server_rate` at h, the steady fluid operation evaluated with the service model itself; tiers share a server's
    time. The plan is achievable in that sense: for batches at their mean composition, of the tiers' whole mixes. It
    satisfies the rows of the bound, so ``plan <= bound``. `ServerPlan.rounding_gap` is what whole servers cost
    compared with fractional ones in the same form; `GoodputPlan.gap` is the distance to the bound for every
    policy, which may also select requests and run different batches in turn on one server.

    Parameters
    ----------
    tiers : sequence of Tier
        Rates, lengths and limits.
    fleets : sequence of Fleet
        Each kind of chip, with distinct hardware names, and how many there are.
    scaled : bool
        Maximise the common multiple of all rates instead of the weighted rate (each tier at most at its rate).
    roles : sequence of {"mixed", "prefill", "decode"}
        What servers of the plan may do; with prefill and decode apart, KV moves between them.
    transfer_tokens_per_s : float
        KV tokens per second that a server sends after prefill or receives before decoding.
    token_budget : int, optional
        Most prompt tokens per iteration, for the plan.
    time_limit_s : float, optional
        For branch and bound; incumbent and dual bound are then labelled ``stopped``.

    Raises
    ------
    InputError
        With `scaled`, when some tier can be served by no chip; otherwise such tiers are listed in `unserved`.

    Examples
    --------
    >>> from fluid import ClassRate
    >>> from orsched import Hardware
    >>> from orsched.service import Affine
    >>> gpu = Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 0.12e-6), kv_capacity_tokens=100_000)
    >>> tiers = [Tier("chat", 0.03, (ClassRate(9.0, 500, 250),)), Tier("batch", 0.2, (ClassRate(9.0, 500, 250),))]
    >>> found = goodput_plan(tiers, [Fleet.identical(gpu, 4)], scaled=True)
    >>> found.plan.counts, round(found.plan.value, 3), round(found.limit.bound.value, 3)
    ({'gpu mixed 0.03 s': 3, 'gpu mixed 0.2 s': 1}, 2.333, 2.748)
    """
    require_tiers(tiers)
    if not fleets:
        raise InputError("goodput needs at least one fleet to serve the tiers")
    stock = {fleet.hardware.name: fleet.size for fleet in fleets}
    if len(stock) < len(fleets):
        raise InputError("fleets share a hardware name: put servers of the same kind into one fleet")
    options = [
        option
        for fleet in fleets
        for role in roles
        for option in server_options(
            fleet.hardware,
            tiers,
            role,
            cost=1.0,
            transfer_tokens_per_s=transfer_tokens_per_s,
            token_budget=token_budget,
        )
    ]
    demands = [TierDemand.of(tier) for tier in tiers]
    reasons = tuple(reason for demand in demands if (reason := unserved(demand, options)))
    if scaled and reasons:
        raise InputError("; ".join(reasons))
    largest = min(_most_per_s(d, options, stock) / d.rate_per_s for d in demands) if scaled else 1.0
    written = ServerProgramme(demands, options, stock, largest=largest)
    programme = written.multiplier() if scaled else written.goodput()
    limit = goodput_bound(tiers, fleets, scaled=scaled)
    found = solve_integer(programme, time_limit_s=time_limit_s)
    metric = limit.bound.metric
    plan = server_plan(written, programme, found, metric=metric, sense="upper", subject=tiers_subject(tiers, fleets))
    return GoodputPlan(plan, limit, reasons)


def _most_per_s(demand: TierDemand, options: Sequence[ServerOption], stock: dict[str, int]) -> float:
    """More of a tier than can be prefilled if every server were its own."""
    best: dict[str, float] = {}
    for option in (o for o in options if o.role != "decode"):
        best[option.chip] = max(best.get(option.chip, 0.0), option.rates_per_s.get(demand.name, 0.0))
    return sum(stock[chip] * rate for chip, rate in best.items())
