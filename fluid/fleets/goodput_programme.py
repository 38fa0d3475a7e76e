"""The goodput LP: iterations sorted by the tightest limit among those who take part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from fluid.demand import Rates
from fluid.fleets.tier import Tier
from fluid.integer import Draft, IntegerProgramme
from fluid.modes.batches import chunk_minorants
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Minorant
from orsched.work import Floats, RequestWork

FLOWS = ("decodes", "reads", "prompt", "attention")
_Flow = dict[str, int]
_Supply = tuple[int, Floats]


class GoodputProgramme:
    """Columns and rows of the goodput LP; see `fluid.fleets.goodput_bound` for what it bounds and why.

    For every chip c and *level* h (a distinct value among the tiers' TPOT and TTFT limits, infinity included
    where a tier has no TTFT limit) there are iterations per second ``N``, the instances ``y`` they keep busy and,
    for each tier that may take part, tokens decoded d, KV tokens read r, prompt tokens p and their attention a.
    With n_c instances, memory C, batch limit B and sound minorants m:

        sum_k (beta_m p + gamma_m d + delta_m r + chi_m a) + alpha_m N <= y      (time)
        y <= h N                                                               (no iteration is longer than h)
        sum_k (r + d + p) <= C N,   sum_k (d + p / longest prompt) <= B N       (memory, seats)
        sum_h y <= n_c                                                         (instances)
        shortest context d <= r <= longest context d,   a <= longest prompt p

    d, r only where ``TPOT_k >= h``, p and a only where ``TTFT_k >= h``; and, for each tier, over all chips and levels,

        sum d = sum_j X_j (o_j - 1),  sum r = sum_j X_j v_j,  sum p = sum_j X_j l_j,  sum a = sum_j X_j l_j^2 / 2

    with ``X_j`` the completions of class j per second: at most its rate, or the rate times a common multiplier. Columns
    d, r, p, a are multiples of what the offered rates ask for, X_j shares of the rate: numbers near one.

    Parameters
    ----------
    tiers : sequence of Tier
        Names distinct.
    fleets : sequence of Fleet
        Chips and how many of each.
    scaled : bool
        Maximise the common multiplier of all rates instead of the weighted completions.
    """

    def __init__(self, tiers: Sequence[Tier], fleets: Sequence[Fleet], *, scaled: bool) -> None:
        if not fleets:
            raise InputError("goodput needs at least one fleet to serve the tiers")
        self.tiers, self.fleets = tiers, fleets
        self._draft = Draft()
        self._rates = [Rates.of(tier.classes) for tier in tiers]
        self._least = min(rates.least_prompt for rates in self._rates)
        self._needs = [_needs(rates.work) for rates in self._rates]
        self._units = [
            {name: float(rates.rate_per_s @ need) or 1.0 for name, need in needs.items()}
            for rates, needs in zip(self._rates, self._needs, strict=True)
        ]
        self._flows: list[list[_Flow]] = [[] for _ in tiers]  # of each tier, by chip and level
        self._largest = self._largest_multiplier() if scaled else 1.0
        levels = sorted({limit for tier in tiers for limit in self._limits_s(tier)})
        chips = [fleet.hardware.name for fleet in fleets]
        for number, (chip, fleet) in enumerate(zip(chips, fleets, strict=True), start=1):
            self._chip(fleet, levels, chip if chips.count(chip) == 1 else f"{chip} (kind {number})")
        self._supply = self._multiplier() if scaled else [self._completions(k) for k in range(len(tiers))]
        for k in range(len(tiers)):
            self._balance(k)
        self._more_rows()
        self.programme: IntegerProgramme = self._draft.programme()

    def _limits_s(self, tier: Tier) -> tuple[float, float]:
        """Longest iteration in which a good request may decode, and may be prefilled."""
        return tier.tpot_s, tier.ttft_s

    def _more_rows(self) -> None:
        """Add nothing: the limits above are all there is."""

    def _largest_multiplier(self) -> float:
        """More than memory, batch limits and, with the best coefficients of all chips, time allow."""
        tokens = seats = 0.0
        best = dict.fromkeys(FLOWS, math.inf)
        for fleet in self.fleets:
            tokens += most_iterations(fleet) * fleet.hardware.kv_capacity_tokens
            seats += most_iterations(fleet) * fleet.hardware.max_num_seqs
            minorant = next(m for m in chunk_minorants(fleet.hardware, self._least) if m.base_s >= 0)
            best = {name: min(best[name], one) for name, one in coefficients(minorant).items()}
        offered = [
            {name: float(rates.rate_per_s @ need) for name, need in needs.items()}
            for rates, needs in zip(self._rates, self._needs, strict=True)
        ]
        prompts = sum(one["prompt"] for one in offered)
        work = sum(one[name] * best[name] for one in offered for name in FLOWS)
        requests = sum(rates.total_per_s for rates in self._rates)
        instances = sum(fleet.size for fleet in self.fleets)
        time = instances / work if work > 0 else math.inf
        return (1 + 1e-6) * min(tokens / prompts, seats / requests, time)

    def _chip(self, fleet: Fleet, levels: Sequence[float], chip: str) -> None:
        draft, hw = self._draft, fleet.hardware
        room = float(hw.kv_capacity_tokens // hw.block_tokens * hw.block_tokens)
        used = []
        for level in levels:
            label = f"{chip}, iterations up to {level} s"
            count = draft.column(f"iterations on {label}", upper=most_iterations(fleet))
            busy = draft.column(f"instances of {label}", upper=float(fleet.size))
            used.append(busy)
            flows = [self._tier_flows(k, level, label) for k in range(len(self.tiers))]
            for number, m in enumerate(chunk_minorants(hw, self._least), start=1):
                work = self._sum(flows, coefficients(m))
                draft.row(f"time by minorant {number} on {label}", {**work, count: m.base_s, busy: -1.0}, high=0.0)
            if math.isfinite(level):
                draft.row(f"limit on {label}", {busy: 1.0, count: -level}, high=0.0)
            held = self._sum(flows, dict.fromkeys(("decodes", "reads", "prompt"), 1 / room))
            draft.row(f"KV memory on {label}", {**held, count: -1.0}, high=0.0)
            seats = self._sum(flows, {"decodes": 1 / hw.max_num_seqs})
            for k, flow in enumerate(flows):
                seats[flow["prompt"]] = self._units[k]["prompt"] / self._longest(k) / hw.max_num_seqs
            draft.row(f"batch limit on {label}", {**seats, count: -1.0}, high=0.0)
        draft.row(f"instances of {chip}", dict.fromkeys(used, 1.0), high=float(fleet.size))

    def _tier_flows(self, k: int, level: float, label: str) -> _Flow:
        """Add columns, as multiples of what the tier's offered rates ask for."""
        draft, tier, work, unit = self._draft, self.tiers[k], self._rates[k].work, self._units[k]
        decode, prefill = self._limits_s(tier)
        flow = {
            name: draft.column(f"{name} of {tier.name} on {label}", upper=self._largest if limit >= level else 0.0)
            for name, limit in zip(FLOWS, (decode, decode, prefill, prefill), strict=True)
        }
        shortest, longest = contexts(work)
        reads = {flow["reads"]: unit["reads"] / unit["decodes"]}
        draft.row(f"least contexts of {tier.name} on {label}", {**reads, flow["decodes"]: -shortest}, low=0.0)
        draft.row(f"most contexts of {tier.name} on {label}", {**reads, flow["decodes"]: -longest}, high=0.0)
        chunks = {flow["attention"]: unit["attention"] / unit["prompt"], flow["prompt"]: -self._longest(k)}
        draft.row(f"chunks of {tier.name} on {label}", chunks, high=0.0)
        self._flows[k].append(flow)
        return flow

    def _sum(self, flows: Sequence[_Flow], each: Mapping[str, float]) -> dict[int, float]:
        return {
            flow[name]: self._units[k][name] * weight for k, flow in enumerate(flows) for name, weight in each.items()
        }

    def _longest(self, k: int) -> float:
        return float(self._rates[k].work.prompt_tokens.max())

    def rates_per_s(self, x: Floats) -> tuple[float, ...]:
        """Completions per second of each tier at a point."""
        return tuple(float(sum(x[column] * each.sum() for column, each in supply)) for supply in self._supply)

    def _completions(self, k: int) -> list[_Supply]:
        """One column for each class: the share of its rate that completes."""
        tier, rates = self.tiers[k], self._rates[k].rate_per_s
        each = zip(rates.tolist(), np.diag(rates), strict=True)
        return [
            (self._draft.column(f"{tier.name}, class {j}", cost=-tier.weight * rate, upper=1.0), unit)
            for j, (rate, unit) in enumerate(each)
        ]

    def _multiplier(self) -> list[list[_Supply]]:
        """One column for all classes."""
        factor = self._draft.column("multiplier", cost=-1.0, upper=self._largest)
        return [[(factor, rates.rate_per_s)] for rates in self._rates]

    def _balance(self, k: int) -> None:
        for name, need in self._needs[k].items():
            terms = {flow[name]: 1.0 for flow in self._flows[k]}
            terms |= {column: -float(need @ rates) / self._units[k][name] for column, rates in self._supply[k]}
            self._draft.row(f"{name} of tier {self.tiers[k].name}", terms, low=0.0, high=0.0)


def _needs(work: RequestWork) -> dict[str, Floats]:
    """What one completion of each class takes."""
    amounts = (work.decode_iterations.astype(float), work.kv_reads, work.prompt_tokens.astype(float))
    return dict(zip(FLOWS, (*amounts, work.chunk_attention), strict=True))


def coefficients(minorant: Minorant) -> dict[str, float]:
    """Seconds per unit of each flow."""
    m = minorant
    return dict(zip(FLOWS, (m.sequence_s, m.kv_token_s, m.prompt_token_s, m.chunk_attention_s), strict=True))


def contexts(work: RequestWork) -> tuple[float, float]:
    """Fewest and most KV tokens that a decode of these requests reads."""
    shortest = float(work.prompt_tokens.min())
    return shortest, max(shortest, float((work.prompt_tokens + work.iterations - 2).max()))


def most_iterations(fleet: Fleet) -> float:
    """More iterations per second than the largest base of a minorant allows."""
    base = max(m.base_s for m in fleet.hardware.service.affine_minorants())
    if base <= 0:
        raise InputError(
            f"hardware {fleet.hardware.name!r}: no affine minorant has a positive base, so iterations may take no time "
            "and nothing bounds goodput"
        )
    return float(np.nextafter(fleet.size / base, math.inf)) * (1 + 1e-9)
