"""Andes-like scheduling (arXiv 2404.16283): who gains most quality of experience per unit of KV memory runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orsched.checks import check_is, check_number
from orsched.engine.plan import Plan
from orsched.errors import InputError
from orsched.policy import Policy
from policies.parts.ranked import RUNNING, BatchLimits, PreemptionCap, by_rank, choose, uncontended
from policies.parts.waiting_list import WaitingList, by_arrival
from policies.recipe import fixed

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView

AGE_DIGITS = 6
"""Ages are rounded to a microsecond, so that equal gains stay equal however times were summed."""

EARLY_S = 2.0**-20
"""A decision is due so many seconds early, so that an iteration that ends with the interval is in time however times
were summed; no round decimal, which sums of iteration times would meet."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What a user expects, and what serving a request is worth to him.

    Parameters
    ----------
    ttft_s : float
        Expected time to first token, seconds.
    tokens_per_s : float
        Reading speed.
    horizon_s : float
        How far ahead a gain is looked for, seconds; more than `ttft_s`.
    """

    ttft_s: float = 1.0
    tokens_per_s: float = 4.8
    horizon_s: float = 10.0

    def __post_init__(self) -> None:
        for name in ("ttft_s", "tokens_per_s", "horizon_s"):
            check_number(self, name, above=True)
        if self.horizon_s <= self.ttft_s:
            raise InputError(f"horizon_s = {self.horizon_s!r}: must be above ttft_s = {self.ttft_s!r}")

    def dry_s(self, emitted: int) -> float:
        """Age at which a user who reads at his speed from the expected first token on has read all that was emitted."""
        return self.ttft_s + emitted / self.tokens_per_s

    def gain(self, age_s: float, emitted: int) -> float:
        """Quality of experience gained by serving a request over the horizon instead of letting it wait.

        Tokens are a fluid and come at least as fast as they are read. Waiting, the user has read all that was emitted
        at ``d = ttft + emitted / speed``, or has already. Served, he reads on. Until the horizon's end ``h`` that is an
        area of ``speed (h - max(age, d))^2 / 2`` more, of ``speed (h - ttft)^2 / 2`` that he expects to have read: the
        delay suffered before is in both and drops out.
        """
        end = age_s + self.horizon_s
        dry = max(age_s, self.dry_s(emitted))
        return ((end - dry) / (end - self.ttft_s)) ** 2 if end > dry else 0.0


@dataclass(frozen=True, slots=True)
class ByGain:
    """Greedy knapsack: requests in descending order of gain per KV block, as long as memory and seats suffice.

    Gains are computed when a request arrives, and anew every `interval_s` while somebody waits. Then the
    residents with the least gains may be preempted, as many as `cap` still allows; at other times a waiting request
    takes free memory only.

    Parameters
    ----------
    reader : Reader
        The users.
    interval_s : float
        Seconds between decisions.
    cap : PreemptionCap
        How many residents may be preempted at these decisions.
    resident_bonus : float
        By how much a resident's gain counts more than a waiting request's.
    limits : BatchLimits
        What an iteration takes.
    """

    reader: Reader = field(default_factory=Reader)
    interval_s: float = 0.5
    cap: PreemptionCap = field(default_factory=lambda: PreemptionCap(0.1))
    resident_bonus: float = 0.1
    limits: BatchLimits = field(default_factory=BatchLimits)

    def __post_init__(self) -> None:
        for name, kind in (("reader", Reader), ("cap", PreemptionCap), ("limits", BatchLimits)):
            check_is(self, name, kind)
        check_number(self, "interval_s", least=10 * EARLY_S, unit="seconds")
        check_number(self, "resident_bonus")

    def density(self, view: InstanceView, request: int) -> float:
        """Gain per KV block that the request holds or would take."""
        gain = self.reader.gain(age_s(view, request), view.emitted_tokens(request))
        if request in view.running:
            return gain * (1 + self.resident_bonus) / view.held_blocks(request)
        return gain / view.blocks_for(view.prompt_tokens[request])

    def __call__(self, view: InstanceView) -> Plan:
        """Plan until the next decision."""
        memo = view.memo
        if not memo:
            memo.update(waiting=WaitingList(), density={}, ahead=set(), preempted=0, next_s=-math.inf)
        waiting: WaitingList = memo["waiting"]
        density: dict[int, float] = memo["density"]

        def rank(request: int) -> float:
            return -density[request]

        def new_rank(request: int) -> float:
            density[request] = self.density(view, request)
            return -density[request]

        for request in waiting.arrivals(view):
            rank_now = new_rank(request)
            if request not in view.running:
                waiting.add(request, rank_now)
        if uncontended(view):
            return Plan(decode=(RUNNING,))
        if view.now_s < memo["next_s"]:
            choice = choose(view, rank, waiting, self.limits)
        else:
            memo["next_s"] = view.now_s + self.interval_s - EARLY_S
            for request in view.running:
                new_rank(request)
            for request in memo["ahead"]:
                if request in view.waiting:
                    waiting.rerank(request, new_rank(request))
            memo["ahead"] = {request for request in memo["ahead"] if self.is_ahead(view, request)}
            expendable = self.cap.left(len(view.arrived), memo["preempted"])
            choice = by_rank(view, rank, waiting.renewed(new_rank), self.limits, expendable)
        waiting.follow(choice, rank)
        memo["ahead"].update(choice.preempted)
        memo["preempted"] += len(choice.preempted)
        return choice.plan(view)._replace(until_s=memo["next_s"])

    def is_ahead(self, view: InstanceView, request: int) -> bool:
        """Whether a request waits while its user still reads: only then does the gain of a waiting request rise."""
        return request in view.waiting and age_s(view, request) < self.reader.dry_s(view.emitted_tokens(request))


def age_s(view: InstanceView, request: int) -> float:
    """Time since the arrival of `request`, seconds."""
    return round(view.now_s - view.arrival_s(request), AGE_DIGITS)


def andes(
    reader: Reader | None = None,
    interval_s: float = 0.5,
    preemption_cap: float = 0.1,
    limits: BatchLimits | None = None,
) -> Policy:
    """Andes-like: greedy by gain in quality of experience per KV block, with a preemption cap.

    Notes
    -----
    Published, known to us at second hand: quality of experience as 1 less normalised delay area, preemption by expected
    gain per unit of memory, a knapsack solved greedily, a cap on preemptions. Ours: the closed form of the gain, blocks
    held now as the weight, decisions at intervals of time, the cap per arrived request, every default. A preempted
    request is recomputed; pauses occur only when seats are short. The cap limits the preemptions that make room.
    Growth preempts without limit and uses it up: nothing is reserved, so very long outputs preempt all the time.
    """
    limits = BatchLimits() if limits is None else limits
    reader = Reader() if reader is None else reader
    batcher = ByGain(reader, interval_s, PreemptionCap(preemption_cap), limits=limits)
    settings = {"ttft_s": reader.ttft_s, "tokens_per_s": reader.tokens_per_s, "horizon_s": reader.horizon_s}
    settings |= {"interval_s": interval_s, "preemption_cap": preemption_cap}
    return Policy("andes", batcher, num_cohorts=2, order=by_arrival, settings=settings)


RECIPES = (fixed(andes, "Andes-like: most gain in quality of experience per KV block, decisions every 0.5 s"),)
