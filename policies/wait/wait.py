"""WAIT (Ao, Luo, Simchi-Levi, Wang; arXiv 2504.11320): wait until enough prompts of a class have arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from orsched.checks import check_whole, check_wholes
from orsched.engine.plan import IDLE, Chunk, Plan
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Information, Policy
from orsched.workloads import PiecewisePoisson, Poisson, Workload
from policies.parts.bins import MOST_CLASSES, LengthBins
from policies.parts.pressure import preempt_last
from policies.wait.profile import class_profiles
from policies.wait.thresholds import WaitThresholds, check_thresholds, choose_thresholds

if TYPE_CHECKING:
    from fluid.trajectory.profile import RateProfile
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class Waiting:
    """Algorithm 1: a class with at least ``n_j`` waiting prompts fires, the others are frozen.

    Steps in the paper's numbering: arrivals and completions (1, 2) are the engine's. Step 3: the eligible classes
    are those with ``n_j`` waiting prompts. Step 4: all eligible classes go together; ``n_j`` prompts enter,
    and every resident of the class advances (the invariant ``N_js <= n_j`` makes the per-stage cap
    ``min(n_j, N_js)`` the whole stage). Step 5: otherwise wait.

    Two additions of ours, both neutral in the paper's setting. (a) A stage may last several iterations. (b) On
    finite runs, once nothing arrives any more, classes below their threshold fire with what they have; otherwise the
    last prompts would never start. When memory runs short (only possible if the requests of a class differ in
    length) newcomers wait and growth evicts the most recently admitted, the paper's overflow rule.

    Parameters
    ----------
    thresholds : tuple of int
        ``n_j`` per class.
    stage_iterations : int
        Iterations per stage; 1 is the algorithm as printed.
    """

    thresholds: tuple[int, ...]
    stage_iterations: int = 1

    def __post_init__(self) -> None:
        check_wholes(self, "thresholds")
        check_whole(self, "stage_iterations")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one iteration, or the rest of a stage."""
        require_classes(view, "thresholds", len(self.thresholds))
        memo = view.memo
        left = memo.get("stage_ends", 0) - view.iterations
        firing: tuple[int, ...] = memo.get("firing", ())
        if left > 0 and any(view.decoding(j) for j in firing):
            return relieve(view, Plan(decode=firing, wake_on_arrival=False, max_steps=left))
        firing = eligible(view, self.thresholds)
        if not firing:
            return IDLE
        memo["firing"] = firing
        memo["stage_ends"] = view.iterations + self.stage_iterations
        chunks = newcomers(view, self.thresholds, firing, firing)
        if not chunks and not any(view.decoding(j) for j in firing):
            return self._starved(view)
        steps = self.stage_iterations
        return relieve(view, Plan(chunks, decode=firing, wake_on_arrival=False, max_steps=steps))

    def _starved(self, view: InstanceView) -> Plan:
        """The firing classes have no residents and no room: let every resident advance until memory is freed."""
        view.memo["firing"] = tuple(range(len(self.thresholds)))
        return relieve(view, Plan(wake_on_arrival=False, max_steps=self.stage_iterations))


@dataclass(frozen=True, slots=True)
class KeepDecoding:
    """The labelled variant: classes wait for their threshold to be admitted, but residents always decode.

    Parameters are those of `Waiting`.
    """

    thresholds: tuple[int, ...]
    stage_iterations: int = 1

    def __post_init__(self) -> None:
        check_wholes(self, "thresholds")
        check_whole(self, "stage_iterations")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one iteration, or the rest of a stage."""
        require_classes(view, "thresholds", len(self.thresholds))
        left = view.memo.get("stage_ends", 0) - view.iterations
        if left > 0 and view.running:
            return relieve(view, Plan(wake_on_arrival=False, max_steps=left))
        chunks = newcomers(view, self.thresholds, eligible(view, self.thresholds), None)
        if chunks:
            view.memo["stage_ends"] = view.iterations + self.stage_iterations
            return relieve(view, Plan(chunks, wake_on_arrival=False))
        return relieve(view, Plan())


def require_classes(view: InstanceView, name: str, count: int) -> None:
    """Refuse to run with `count` thresholds or limits where the policy tells another number of classes apart."""
    if count != view.num_classes:
        raise InputError(f"{count} {name} for {view.num_classes} classes: give one for each")


def eligible(view: InstanceView, thresholds: Sequence[int]) -> tuple[int, ...]:
    """Classes that may fire: enough prompts wait, or nothing will arrive any more and something is left."""
    classes = range(len(thresholds))
    if view.closed:
        return tuple(j for j in classes if view.waiting_of(j) or view.decoding(j))
    return tuple(j for j in classes if len(view.waiting_of(j)) >= thresholds[j])


def newcomers(
    view: InstanceView, thresholds: Sequence[int], firing: Sequence[int], growing: Sequence[int] | None
) -> tuple[Chunk, ...]:
    """Up to ``n_j`` prompts of each firing class, as long as memory (beside the cohorts that grow) and seats last."""
    free = view.free_blocks - view.growth_blocks(growing)
    seats = view.max_num_seqs - len(view.running)
    chunks: list[Chunk] = []
    for j in firing:
        for request in islice(view.waiting_of(j), thresholds[j]):
            prompt = view.prompt_tokens[request]
            free -= view.blocks_for(prompt)
            seats -= 1
            if free < 0 or seats < 0:
                return tuple(chunks)
            chunks.append(Chunk(request, prompt, cohort=j))
    return tuple(chunks)


def relieve(view: InstanceView, plan: Plan) -> Plan:
    """The plan, with the latest admitted residents evicted first if decode growth does not fit."""
    if len(view.running) <= view.free_blocks or plan.prefill:
        return plan
    victims = preempt_last(view, plan.decode)
    return plan._replace(preempt=victims, max_steps=1) if victims else plan


@dataclass(frozen=True, slots=True)
class Wait:
    """How to make a WAIT policy: from given thresholds, or from the fluid solution of a workload.

    Parameters
    ----------
    input_bins, output_bins : int
        Classes of a workload are the cells of a quantile grid over prompt and output lengths, `MOST_CLASSES` at most.

    Raises
    ------
    InputError
        When a number of bins is not so.
    """

    input_bins: int = 1
    output_bins: int = 2

    def __post_init__(self) -> None:
        for name in ("input_bins", "output_bins"):
            check_whole(self, name, most=MOST_CLASSES)

    def from_fluid(self, workload: Workload, fleet: Fleet) -> Policy:
        """WAIT with thresholds chosen for the rates and classes of `workload` (at its load) on `fleet`."""
        bins, chosen = self._solve(workload, fleet)
        return wait_policy("wait", Waiting(chosen.per_class, chosen.stage_iterations), bins, chosen)

    def decoding_from_fluid(self, workload: Workload, fleet: Fleet) -> Policy:
        """The variant that keeps decoding while it waits, with the same thresholds."""
        bins, chosen = self._solve(workload, fleet)
        batcher = KeepDecoding(chosen.per_class, chosen.stage_iterations)
        return wait_policy("wait-decoding", batcher, bins, chosen)

    def from_profile(
        self,
        rates: RateProfile | PiecewisePoisson | Poisson,
        workload: Workload | Sequence[Workload],
        fleet: Fleet,
    ) -> Policy:
        """WAIT for a rate that is a step function of time; the conditions hold in every window of a cycle.

        Where lengths vary too, memory and cycle are those of the largest means over the steps
        (`policies.wait.varying`).

        Parameters
        ----------
        rates : RateProfile, PiecewisePoisson or Poisson
            Requests per second of the whole fleet.
        workload : Workload, or a sequence of them
            Lengths: one workload for all times, or one per step of `rates`. Arrival times do not matter.
        fleet : Fleet
            What it will run on.

        Raises
        ------
        InputError
            When no integer thresholds satisfy the conditions.
        """
        from policies.wait.varying import VaryingRates, choose_for_windows

        varying = VaryingRates.of(rates, workload, fleet.size)
        bins = varying.bins(self.input_bins, self.output_bins)
        found = choose_for_windows(varying.profiles(bins), varying.windows_by_class(bins), fleet.hardware)
        batcher = Waiting(found.chosen.per_class, found.chosen.stage_iterations)
        policy = wait_policy("wait-varying", batcher, bins, found.chosen)
        windows = {"busiest_window": list(found.busiest), "collect_s": list(found.collect_s)}
        return replace(policy, settings={**policy.settings, **windows})

    def with_thresholds(
        self, per_class: Sequence[int], workload: Workload, fleet: Fleet, stage_iterations: int = 1
    ) -> Policy:
        """WAIT with given thresholds, one per class of the grid.

        Raises
        ------
        InputError
            When they violate WAIT's conditions for `workload` on `fleet`.
        """
        bins = LengthBins.quantiles(workload, self.input_bins, self.output_bins)
        profiles = class_profiles(workload, bins.classify(workload), bins.count, fleet.size)
        chosen = check_thresholds(per_class, profiles, fleet.hardware, stage_iterations)
        return wait_policy("wait", Waiting(chosen.per_class, stage_iterations), bins, chosen)

    def _solve(self, workload: Workload, fleet: Fleet) -> tuple[LengthBins, WaitThresholds]:
        bins = LengthBins.quantiles(workload, self.input_bins, self.output_bins)
        profiles = class_profiles(workload, bins.classify(workload), bins.count, fleet.size)
        return bins, choose_thresholds(profiles, fleet.hardware)


def wait_policy(name: str, batcher: Waiting | KeepDecoding, bins: LengthBins, chosen: WaitThresholds) -> Policy:
    """Bundle a batcher with its classes; the settings say which bins and thresholds it runs with."""
    return Policy(
        name,
        batcher,
        information=Information.CLASS,
        num_classes=bins.count,
        classify=bins,
        settings={
            "bins": bins.describe(),
            "thresholds": list(chosen.per_class),
            "stage_iterations": chosen.stage_iterations,
            "cycle_s": chosen.cycle_s,
            "memory_tokens": chosen.memory_tokens,
            "slack": chosen.slack,
        },
        takes_transfers=False,
    )
