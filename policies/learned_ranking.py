"""Predicted output lengths decide who runs: shortest first, shortest remaining first, learned ranking (vllm-ltr)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING

from orsched.checks import check_has, check_is
from orsched.engine.plan import Plan
from orsched.policy import Information, Policy
from orsched.prediction import Predictor
from policies.parts.ranked import PAUSED, BatchLimits, PreemptionCap, choose
from policies.parts.starvation import StarvationRule, StarvationWatch
from policies.parts.waiting_list import WaitingList, by_arrival
from policies.predictors import Noise
from policies.recipe import Recipe
from policies.sjf import sjf

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class ByScore:
    """Residents and waiting requests together in ascending order of a score, asked again in every step.

    A request that is overtaken pauses and keeps its KV cache; it is preempted when memory is short (`choose`).

    Parameters
    ----------
    score : callable
        ``score(predicted, emitted)``: from the output tokens predicted when the request arrived and those it has
        emitted. It must not rise in `emitted`.
    limits : BatchLimits
        What an iteration takes.
    starvation : StarvationRule
        Who goes before all others.
    cap : PreemptionCap
        How many residents may be preempted so that waiting requests start.
    """

    score: Callable[[int, int], float]
    limits: BatchLimits = field(default_factory=BatchLimits)
    starvation: StarvationRule = field(default_factory=StarvationRule)
    cap: PreemptionCap = field(default_factory=PreemptionCap)

    def __post_init__(self) -> None:
        check_has(self, "score", "a function of predicted and emitted tokens", "__call__")
        for name, kind in (("limits", BatchLimits), ("starvation", StarvationRule), ("cap", PreemptionCap)):
            check_is(self, name, kind)

    def __call__(self, view: InstanceView) -> Plan:
        """Plan until a rank may change."""
        memo = view.memo
        if not memo:
            memo.update(waiting=WaitingList(), watch=StarvationWatch(self.starvation), predicted={}, preempted=0)
        waiting: WaitingList = memo["waiting"]
        watch: StarvationWatch = memo["watch"]
        predicted: dict[int, int] = memo["predicted"]
        now = view.iterations

        def rank(request: int) -> tuple[bool, float]:
            return not watch.promoted(request), self.score(predicted[request], view.emitted_tokens(request))

        arrivals = waiting.arrivals(view)
        watch.forget(arrivals)
        for request in arrivals:
            predicted[request] = view.output_tokens(request)
            if request not in view.running:
                waiting.add(request, rank(request))
        watch.stopped((r for r in arrivals if r not in view.running or view.cohort_of(r) == PAUSED), now)
        watch.forget_departed(view)
        for request in watch.update(now, view.running):
            waiting.rerank(request, rank(request))
        expendable = self.cap.left(len(view.arrived), memo["preempted"])
        choice = choose(view, rank, waiting, self.limits, expendable)
        memo["preempted"] += len(choice.preempted)
        waiting.follow(choice, rank)
        watch.stopped([*choice.paused, *choice.preempted], now)
        watch.started([*choice.running, *choice.admitted], now)
        plan, steps = choice.plan(view), watch.next_change(now)
        return plan if steps >= plan.max_steps else plan._replace(max_steps=ceil(steps))


def predicted_tokens(predicted: int, emitted: int) -> float:
    """Score of the learned ranking: the prediction, which does not change."""
    return predicted


def remaining_tokens(predicted: int, emitted: int) -> float:
    """Score of shortest remaining first, below 0 for a request that has outlived its prediction by more than that."""
    return predicted - emitted


def sjf_predicted(predictor: Predictor) -> Policy:
    """Shortest predicted output first, non-preemptive (vllm-ltr ``sjf``).

    Notes
    -----
    `policies.sjf` with predictions: the predicted peak is reserved, and when a request that has outlived its prediction
    finds no memory, the latest admitted is preempted. Reserving is ours.
    """
    return replace(sjf().predicted_by(predictor), name="sjf-predicted")


def srtf_predicted(predictor: Predictor, limits: BatchLimits | None = None, preemption_cap: float = 0.0) -> Policy:
    """Shortest predicted remaining output first, preemptive (vllm-ltr ``srtf``).

    Parameters
    ----------
    predictor : Predictor
        Its point prediction is the estimate.
    limits : BatchLimits, optional
        What an iteration takes.
    preemption_cap : float
        Preemptions per arrival that may make room for waiting requests; infinity is the published order, with
        recomputation in place of swapping.

    Notes
    -----
    Published: waiting, running and swapped requests are sorted by estimate less tokens emitted in every step. Ours: a
    paused request keeps its KV cache on the GPU, and where the published system swaps one out for another, that one
    waits for free memory; only growth preempts. Prompts are whole.
    """
    limits = BatchLimits() if limits is None else limits
    batcher = ByScore(remaining_tokens, limits, cap=PreemptionCap(preemption_cap))
    return _ranking("srtf-predicted", batcher, predictor)


def learned_ranking(
    predictor: Predictor,
    limits: BatchLimits | None = None,
    starvation: StarvationRule | None = None,
    preemption_cap: float = 0.0,
) -> Policy:
    """Ascending order of a predictor's score, preemptive, with a rule against starvation (vllm-ltr ``opt``).

    Parameters
    ----------
    predictor : Predictor
        Its point prediction is the score; only the order matters.
    limits : BatchLimits, optional
        What an iteration takes.
    starvation : StarvationRule, optional
        By default that of the published scripts: idle for 200 steps, then first for 10.
    preemption_cap : float
        As in `srtf_predicted`.

    Notes
    -----
    Ours: pauses, recomputation and whole prompts as in `srtf_predicted`.
    """
    limits = BatchLimits() if limits is None else limits
    rule = StarvationRule(200, 10) if starvation is None else starvation
    batcher = ByScore(predicted_tokens, limits, rule, PreemptionCap(preemption_cap))
    return _ranking(
        "learned-ranking",
        batcher,
        predictor,
        starvation_idle_steps=rule.idle_steps,
        starvation_run_steps=rule.run_steps,
    )


def _ranking(name: str, batcher: ByScore, predictor: Predictor, **settings: float) -> Policy:
    settings["preemption_cap"] = batcher.cap.per_arrival
    policy = Policy(name, batcher, information=Information.ORACLE, num_cohorts=2, order=by_arrival, settings=settings)
    return policy.predicted_by(predictor)


def _with_noise(make: Callable[[Predictor], Policy], name: str, description: str) -> Recipe:
    policy = make(Noise(0.5))
    return Recipe(name, f"{description}, noise:0.5", Information.PREDICTED, lambda workload, fleet: policy)


RECIPES = (
    _with_noise(sjf_predicted, "sjf-predicted", "Shortest predicted output first, predicted peak reserved"),
    _with_noise(srtf_predicted, "srtf-predicted", "Shortest predicted remaining output first, pauses and recomputes"),
    _with_noise(learned_ranking, "learned-ranking", "Lowest predicted score first, after 200 idle steps first for 10"),
)
