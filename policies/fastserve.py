"""FastServe: skip-join multi-level feedback queue (code of LLMServe/FastServe)."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orsched.checks import check_has, check_is, check_number, check_whole
from orsched.engine.plan import Plan
from orsched.fleet import Fleet
from orsched.policy import Information, Policy
from orsched.service import Batch, ServiceModel
from orsched.workloads import Workload
from policies.parts.feedback_queues import FeedbackQueues
from policies.parts.ranked import RUNNING, BatchLimits, PreemptionCap, choose
from policies.parts.waiting_list import WaitingList, by_arrival
from policies.recipe import Recipe

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView

MOST_QUEUES = 64
"""Most queues (ours): the quantum of the last would be longer than 10^17 of the first."""


@dataclass(frozen=True, slots=True)
class SkipJoin:
    """Queues whose quantum doubles; the highest go first, and who has used up a quantum goes one down.

    A request enters at the first queue whose quantum covers its prefill alone. After a step a request that has run for
    longer than its quantum goes to the front of the next queue and starts a new one. At every multiple of
    `starvation_period` iterations those that have not run for `starvation_s` go to the front of the first queue.

    Parameters
    ----------
    service : ServiceModel
        Gives the profiled time of a prefill.
    base_quantum_s : float
        Quantum of the first queue, seconds.
    queues : int
        Number of queues, at most `MOST_QUEUES`; the last has no quantum.
    starvation_s : float
        Seconds without running after which a request is promoted.
    starvation_period : int
        Iterations between promotions.
    limits : BatchLimits
        What an iteration takes.
    cap : PreemptionCap
        How many residents may be preempted so that waiting requests start.
    """

    service: ServiceModel
    base_quantum_s: float = 0.01
    queues: int = 16
    starvation_s: float = 3.0
    starvation_period: int = 1000
    limits: BatchLimits = field(default_factory=BatchLimits)
    cap: PreemptionCap = field(default_factory=PreemptionCap)

    def __post_init__(self) -> None:
        check_has(self, "service", "a service model", "iteration_s")
        for name in ("base_quantum_s", "starvation_s"):
            check_number(self, name, above=True, unit="seconds")
        check_whole(self, "queues", most=MOST_QUEUES)
        check_whole(self, "starvation_period")
        for name, kind in (("limits", BatchLimits), ("cap", PreemptionCap)):
            check_is(self, name, kind)

    @property
    def quanta_s(self) -> list[float]:
        """Quantum of each queue, seconds."""
        return [self.base_quantum_s * 2.0**p for p in range(self.queues)]

    def entry(self, prompt_tokens: int) -> int:
        """Queue in which a prompt joins: the first whose quantum covers its prefill alone, or the last."""
        alone = Batch(prompt_tokens, 0.5 * prompt_tokens * prompt_tokens)
        return bisect_left(self.quanta_s[:-1], self.service.iteration_s(alone))

    def __call__(self, view: InstanceView) -> Plan:
        """Plan until the next quantum ends."""
        memo = view.memo
        if not memo:
            memo.update(queues=FeedbackQueues(self.quanta_s), waiting=WaitingList(), preempted=0)
        queues: FeedbackQueues = memo["queues"]
        waiting: WaitingList = memo["waiting"]
        now_s = view.now_s
        for request in waiting.arrivals(view):
            queues.join(request, self.entry(view.input_tokens(request)), view.arrival_s(request))
            if request not in view.running:
                waiting.add(request, queues.rank(request))
            elif view.cohort_of(request) == RUNNING:
                queues.start([request], now_s)
        queues.forget_departed(view)
        queues.demote(now_s)
        if view.iterations % self.starvation_period == 0:
            for request in queues.promote(now_s, self.starvation_s):
                waiting.rerank(request, queues.rank(request))
        expendable = self.cap.left(len(view.arrived), memo["preempted"])
        choice = choose(view, queues.rank, waiting, self.limits, expendable)
        memo["preempted"] += len(choice.preempted)
        waiting.follow(choice, queues.rank)
        queues.stop([*choice.paused, *choice.preempted], now_s)
        queues.start([*choice.running, *choice.admitted], now_s)
        steps = self.starvation_period - view.iterations % self.starvation_period
        plan = choice.plan(view)
        return plan._replace(max_steps=min(plan.max_steps, steps), until_s=queues.next_expiry_s())


def fastserve(
    service: ServiceModel,
    base_quantum_s: float = 0.01,
    queues: int = 16,
    limits: BatchLimits | None = None,
    preemption_cap: float = 0.0,
) -> Policy:
    """FastServe's scheduler for a service model, with its repository's constants.

    Parameters
    ----------
    service : ServiceModel
        Gives the profiled time of a prefill.
    base_quantum_s : float
        Quantum of the first queue, seconds.
    queues : int
        Number of queues.
    limits : BatchLimits, optional
        What an iteration takes.
    preemption_cap : float
        Preemptions per arrival that may make room for waiting requests; infinity is the published order, with
        recomputation in place of swapping.

    Notes
    -----
    Published: quanta of 10 ms times powers of two, skip-join, promotion to the first queue after 3 s without running at
    every 1000th iteration, 256 requests and 2048 prompt tokens a batch (defaults of its server). Ours: 16 queues where
    the code adds them without end. The published system keeps blocks free ahead of need and swaps to host memory; here
    a paused request keeps its KV cache, a waiting one waits for free memory, and when residents cannot grow the last in
    rank are recomputed. In the code a batch returns to the front of its queue in reverse order, and a request
    that has never run is promoted at the first occasion; here the order stays, and such a request counts from its
    arrival.
    """
    limits = BatchLimits() if limits is None else limits
    batcher = SkipJoin(service, base_quantum_s, queues, limits=limits, cap=PreemptionCap(preemption_cap))
    settings = {"base_quantum_s": base_quantum_s, "queues": queues, "preemption_cap": preemption_cap}
    return Policy("fastserve", batcher, num_cohorts=2, order=by_arrival, settings=settings)


def _build(workload: Workload, fleet: Fleet) -> Policy:
    return fastserve(fleet.hardware.service)


RECIPES = (
    Recipe(
        "fastserve",
        "FastServe: skip-join MLFQ, quanta of 10 ms x 2^p, promotion after 3 s, recomputes where it would swap",
        Information.NONE,
        _build,
    ),
)
