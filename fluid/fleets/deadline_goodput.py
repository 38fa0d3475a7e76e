"""Goodput that no policy exceeds when token i of a request is due at its arrival + TTFT + i TPOT."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fluid.fleets.goodput_bound import GoodputBound, solved
from fluid.fleets.mean_tpot import MeanTpotProgramme, decode_worth_s
from fluid.fleets.tier import Tier, require_tiers
from orsched.fleet import Fleet
from orsched.service import Minorant


class DeadlineProgramme(MeanTpotProgramme):
    """The goodput LP with a limit on the whole life of a request in place of the one on its decodes.

    Let S be a set of tiers with TTFT limits, as in `fluid.fleets.mean_tpot.MeanTpotProgramme`. The row of a price ``c``
    and a mixture of minorants is

        sum over S of sum (phi_c at the works of decodes and prefill chunks) + c sum of all other work
        <= sum over S of (TTFT_k completions + TPOT_k decodes) + c (instances).

    A chunk with p of at most l prompt tokens and work x of at most ``w = beta l + chi l^2 / 2`` is worth
    ``phi_c(x) >= phi_c(0) + x (phi_c(w) - phi_c(0)) / w``, the chord, and ``phi_c(0) >= phi_c(0) p / l``.
    """

    def _more_rows(self) -> None:
        self._completed = [self._completion(k) for k in range(len(self.tiers))]
        super()._more_rows()

    def _completion(self, k: int) -> int:
        """Add a column for a tier's completions, as a multiple of the offered rate."""
        total = self._rates[k].total_per_s
        column = self._draft.column(f"completions of {self.tiers[k].name}", upper=self._largest)
        shares = {supply: -float(rates.sum()) / total for supply, rates in self._supply[k]}
        self._draft.row(f"completions of tier {self.tiers[k].name}", {**shares, column: 1.0}, low=0.0, high=0.0)
        return column

    def _groups(self, members: Sequence[int]) -> list[frozenset[int]]:
        return super()._groups([k for k in members if math.isfinite(self.tiers[k].ttft_s)])

    def _further_time(self, k: int) -> dict[int, float]:
        return {self._completed[k]: -self.tiers[k].ttft_s * self._rates[k].total_per_s}

    def _prefill_worth_s(self, k: int, minorant: Minorant, most: int, price: float) -> tuple[float, float]:
        longest = self._longest(k)
        work = minorant.prompt_token_s * longest + minorant.chunk_attention_s * longest**2 / 2
        none, whole = decode_worth_s(minorant, most, price, np.array([0.0, work])).tolist()
        slope = (whole - none) / work if work > 0 else 0.0
        return none / longest + slope * minorant.prompt_token_s, slope * minorant.chunk_attention_s


def deadline_goodput_bound(
    tiers: Sequence[Tier], fleets: Sequence[Fleet], *, scaled: bool = False, time_limit_s: float | None = None
) -> GoodputBound:
    """Bound goodput where a request is good if its tokens keep cumulative deadlines (DSLO).

    As `fluid.fleets.goodput_bound`, for the same policies, with another meaning of a good request: it completes, and
    token ``i = 0, 1, ..., o - 1`` comes within ``TTFT_k + i TPOT_k`` of its arrival. A first token that comes early
    lets the rest be slower, so neither `goodput_bound` nor `mean_tpot_goodput_bound` holds for it: with TTFT 10 s and
    TPOT 1 s, a request of 11 tokens may have its first after 1 s and take 1.9 s for each other one.

    **Which bound is for which scoring.** Requests that keep every gap are good on average, and those that are good on
    average, or keep their deadlines, have their first token within ``TTFT_k`` and complete within
    ``TTFT_k + (o - 1) TPOT_k`` of their arrival. Only these two facts are used here. So this bound holds for all
    three scorings, `mean_tpot_goodput_bound` for two of them and `goodput_bound` for one:

        every gap:  the least of the three;   mean gap:  the lesser of the last two;   deadlines:  this one.

    A tier without a TTFT limit has no deadlines, and counts whenever it completes.

    **Proof.** Take one iteration of length T on some chip, with b good requests of the tiers in S taking part at
    whatever stage, of marginal works ``x_i`` (a chunk of a re-prefill counts as its share of the decode it replaces),
    and other work w of good requests. As for the mean, for any ``c >= 0`` and a minorant with ``alpha >= 0``

        (b + c) T >= sum_i (b + c) (alpha / b + x_i) + c w >= sum_i phi_c(x_i) + c w,

    with phi_c of `fluid.fleets.mean_tpot.decode_worth_s`, also for b = 0. Sum over all iterations, per second. ``sum b
    T`` is the time that good requests of S spend in iterations. The iterations of one request do not overlap and lie
    between its arrival and its completion, so that is at most ``TTFT_k + (o - 1) TPOT_k`` for each; ``sum T`` is at
    most the number of instances. phi_c is concave and ``phi_c(0) >= 0``: the chunks of a re-prefill are together worth
    the decode, and the chord of `DeadlineProgramme` is below it for every chunk of a first prefill. That is its row;
    all others are those of `fluid.fleets.goodput_programme.GoodputProgramme`, proved there: an iteration with a first
    prefill lasts at most ``TTFT_k``, one that only decodes as long as it likes.

    *Finite runs.* Nothing is needed of steady states. If a set of good requests lives within H seconds (arrivals
    and completions), all of the above holds with sums over the set divided by H: its weighted size is at most H times
    the bound for the rates (number of requests of each class) / H.

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
    >>> tiers = [Tier("chat", 0.02, (ClassRate(1.0, 500, 250),), ttft_s=1.0)]
    >>> found = deadline_goodput_bound(tiers, [Fleet.identical(gpu)], scaled=True)
    >>> round(found.bound.value, 2), found.bound.certified
    (10.4, True)
    """
    require_tiers(tiers)
    written = DeadlineProgramme(tiers, fleets, scaled=scaled)
    metric = "deadline_goodput_multiplier" if scaled else "deadline_goodput_weighted_per_s"
    return solved(written, "tier-deadline-lp", metric, time_limit_s)
