"""Goodput that no policy exceeds when only the mean time per token of each request is limited."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fluid.fleets.goodput_bound import GoodputBound, solved
from fluid.fleets.goodput_programme import FLOWS, GoodputProgramme, coefficients, contexts
from fluid.fleets.tier import Tier, require_tiers
from fluid.modes.batches import chunk_minorants
from fluid.pathwise.minorants import standalone
from orsched.fleet import Fleet
from orsched.service import Minorant
from orsched.work import Floats

_PRICES = (0.0, *np.geomspace(0.25, 8192.0, 24).tolist())


class MeanTpotProgramme(GoodputProgramme):
    """The goodput LP with a limit on total decode time in place of the limit on each iteration.

    Decodes are allowed at every level. Let S be one tier, or all tiers with a certain TPOT limit or a tighter one. For
    every price ``c >= 0`` on a grid and one mixture of minorants with ``alpha >= 0`` per chip there is the row

        sum over S of sum (phi_c(gamma + delta k) at the decodes' contexts k)
        + c sum of all other work (decodes outside S, prefills)
        <= sum over S of TPOT_k times the tier's decodes + c (instances),

    with phi_c of `decode_worth_s`. As phi_c is concave in the context, its chord between the
    shortest and the longest one is below it, and d decodes that read r tokens in all have at least
    ``phi(shortest) d + slope (r - shortest d)``.
    """

    def _limits_s(self, tier: Tier) -> tuple[float, float]:
        return math.inf, tier.ttft_s

    def _more_rows(self) -> None:
        mixtures = [standalone(chunk_minorants(fleet.hardware, self._least)) for fleet in self.fleets]
        for group in self._groups(range(len(self.tiers))):
            for turn in range(max(map(len, mixtures))):
                chosen = [mine[min(turn, len(mine) - 1)] for mine in mixtures]
                for price in _PRICES:
                    self._price_row(group, price, turn, chosen)

    def _groups(self, members: Sequence[int]) -> list[frozenset[int]]:
        """Each of the tiers alone, and those with a certain TPOT limit or a tighter one."""
        limits = {k: self.tiers[k].tpot_s for k in members}
        tighter = [frozenset(k for k in members if limits[k] <= limit) for limit in limits.values()]
        return list(dict.fromkeys([*tighter, *(frozenset({k}) for k in members)]))

    def _price_row(self, group: frozenset[int], price: float, turn: int, chosen: Sequence[Minorant]) -> None:
        terms: dict[int, float] = {}
        for k, tier in enumerate(self.tiers):
            for at, flow in enumerate(self._flows[k]):
                number = at * len(self.fleets) // len(self._flows[k])
                minorant, hw = chosen[number], self.fleets[number].hardware
                worth = [price * one for one in coefficients(minorant).values()]
                if k in group:
                    worth[:2] = self._chord(k, minorant, hw.max_num_seqs, price)
                    worth[0] -= tier.tpot_s
                    worth[2:] = self._prefill_worth_s(k, minorant, hw.max_num_seqs, price)
                terms |= {flow[name]: self._units[k][name] * one for name, one in zip(FLOWS, worth, strict=True)}
        for k in group:
            terms |= self._further_time(k)
        instances = sum(fleet.size for fleet in self.fleets)
        names = ", ".join(repr(self.tiers[k].name) for k in sorted(group))
        self._draft.row(f"decode time of {names} at price {price:g}, minorants {turn}", terms, high=price * instances)

    def _prefill_worth_s(self, k: int, minorant: Minorant, most: int, price: float) -> tuple[float, float]:
        """Worth of a prompt token and of its attention, for a tier of the group: prefills are other work."""
        return price * minorant.prompt_token_s, price * minorant.chunk_attention_s

    def _further_time(self, k: int) -> dict[int, float]:
        """Time that a tier of the group has beside ``TPOT_k`` per decode, negative, as terms of the row: none."""
        return {}

    def _chord(self, k: int, minorant: Minorant, most: int, price: float) -> tuple[float, float]:
        """Worth of a decode and of a token read, on the chord."""
        ends = np.array(contexts(self._rates[k].work))
        low, high = decode_worth_s(minorant, most, price, minorant.sequence_s + minorant.kv_token_s * ends).tolist()
        shortest, longest = ends.tolist()
        slope = (high - low) / (longest - shortest) if longest > shortest else 0.0
        return low - slope * shortest, slope


def decode_worth_s(minorant: Minorant, most: int, price: float, work_s: Floats) -> Floats:
    """What a decode of marginal work x costs when time has a price: ``min over b of (b + price) (alpha / b + x)``.

    The minimum is over whole batch sizes ``1 <= b <= most``; the expression is convex in b, with its real minimum at
    ``sqrt(price alpha / x)``. As a minimum of increasing lines it is increasing and concave in x, and not negative.

    Parameters
    ----------
    minorant : Minorant
        ``alpha = base_s >= 0``.
    most : int
        Largest batch.
    price : float
        Request-seconds per second of an instance, >= 0.
    work_s : ndarray of float64
        x, seconds, >= 0.
    """
    base = minorant.base_s
    free = np.sqrt(np.divide(price * base, work_s, out=np.full_like(work_s, np.inf), where=work_s > 0))
    below = np.clip(np.floor(free), 1.0, most)
    above = np.minimum(below + 1.0, most)
    worths: Floats = np.minimum(*((b + price) * (base / b + work_s) for b in (below, above)))
    return worths


def mean_tpot_goodput_bound(
    tiers: Sequence[Tier], fleets: Sequence[Fleet], *, scaled: bool = False, time_limit_s: float | None = None
) -> GoodputBound:
    """Bound goodput where a request is good if its *mean* time per token after the first is at most ``TPOT_k``.

    As `fluid.fleets.goodput_bound`, for the same policies, with the weaker meaning of a good request: first token
    within ``TTFT_k``, and ``completion - first token <= TPOT_k (o - 1)``. A request whose tokens all keep the limit is
    good in this sense too, so the bound is valid for both readings.

    **Proof.** Take one iteration of length T on some chip, with b good requests of the tiers in S past their
    first token, of marginal works ``x_i`` (a chunk of a re-prefill counts as its share of the decode it replaces),
    and other work w of good requests. For any ``c >= 0`` and a minorant with ``alpha >= 0``

        (b + c) T >= (b + c) (alpha + sum x_i + w) >= sum_i (b + c) (alpha / b + x_i) + c w >= sum_i phi_c(x_i) + c w,

    also for b = 0. Sum over all iterations, per second: ``sum b T`` is the time that requests of S spend in iterations
    after their first token, at most ``sum over S of TPOT_k`` times their decodes; ``sum T`` is at most the number of
    instances; phi_c is concave with ``phi_c(0) >= 0``, hence subadditive, so the chunks of a re-prefill are
    together worth the decode. That is the row of `MeanTpotProgramme`; all other rows are those of
    `GoodputProgramme`, proved there, without the limit on iterations that decode.

    Parameters
    ----------
    tiers, fleets, scaled, time_limit_s
        As for `fluid.fleets.goodput_bound`.

    Examples
    --------
    >>> from fluid import ClassRate
    >>> from orsched import Hardware
    >>> from orsched.service import Affine
    >>> gpu = Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 0.12e-6), kv_capacity_tokens=100_000)
    >>> tiers = [Tier("chat", 0.02, (ClassRate(1.0, 500, 250),))]
    >>> found = mean_tpot_goodput_bound(tiers, [Fleet.identical(gpu)], scaled=True)
    >>> round(found.bound.value, 2), found.bound.certified
    (9.33, True)
    """
    require_tiers(tiers)
    written = MeanTpotProgramme(tiers, fleets, scaled=scaled)
    metric = "mean_tpot_goodput_multiplier" if scaled else "mean_tpot_goodput_weighted_per_s"
    return solved(written, "tier-mean-tpot-lp", metric, time_limit_s)
