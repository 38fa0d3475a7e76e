"""Llumnix (OSDI '24, arXiv 2406.03243): dispatch, live migration and scaling by the freeness of instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from orsched.checks import check_is, check_number, check_whole
from orsched.engine.actions import Action, Start, Stop
from orsched.engine.pool import EVERY
from orsched.engine.state import State
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Role
from orsched.policy import Controller, Policy
from orsched.workloads import Workload
from policies.parts.freeness import (
    Freest,
    Metric,
    RemainingSteps,
    Spare,
    VirtualUsage,
    first_demand_of_all,
    require_headrooms,
)
from policies.parts.rebalancing import (
    Choice,
    Pairing,
    Rebalancing,
    ShortestFirst,
    always,
    has_preempted,
    last_running,
    longest_running,
    narrows_gap,
    never_alarmed,
)
from policies.registry import get_recipe
from policies.system import System

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView

_METRICS: Mapping[str, Metric] = MappingProxyType(
    {"blocks": RemainingSteps(), "blocks-defrag": RemainingSteps(first_demand_of_all)}
)
_CHOICES: Mapping[str, Choice] = MappingProxyType({"last": last_running, "longest": longest_running})
_PAIRINGS: Mapping[str, Pairing] = MappingProxyType({"defrag": always, "balanced": narrows_gap})


@dataclass(frozen=True, slots=True)
class LlumnixSettings:
    """Which parts, and their thresholds. Sources: the paper, and AlibabaPAI/llumnix (``config/default.py``).

    Thresholds are in steps, with the paper's sign: free is positive. (Older code has -3, -10 and -60 because it
    negated the load; the newest we read has 3, 10 and 60.)

    Parameters
    ----------
    batcher : str
        A registered policy that plans the batches. The paper's engine is an early vLLM.
    metric : {"virtual", "blocks", "blocks-defrag"}
        Freeness: the paper's virtual usages, or the code's free blocks per request (``LOAD_METRIC remaining_steps``)
        without and with ``ENABLE_DEFRAG``.
    headrooms_tokens : tuple of float
        Headroom of each workload class, KV tokens; its priority. None by default: ours, the paper sets it for the high
        priority by measurement.
    migrate : bool
        Whether requests migrate. True as in the paper; the code's ``ENABLE_MIGRATION`` is False.
    out_below, in_above : float
        Sources have less freeness, targets more. 48 steps: ours, the code's ``MIGRATE_OUT_THRESHOLD`` of 3 blocks per
        request times the 16 tokens of a block of vLLM; the paper has two thresholds and no numbers that we know of.
    choose : {"shortest", "last", "longest"}
        Who migrates: low priority and short first (the paper; the code's default ``REQUEST_MIGRATION_POLICY SR``), its
        LCR or its LR. Its FCW migrates waiting requests, which the engine does not.
    pairing : {"defrag", "balanced"}
        Every pair, as in the paper (``PAIR_MIGRATION_POLICY``), or those whose gap it narrows, as the code does without
        ``ENABLE_DEFRAG``.
    preempted_move : bool
        Whether an instance where preempted requests wait is a source, and no target, as in the code.
    every_s : float
        Time between two passes, seconds (``POLLING_INTERVAL`` 0.05, ``PAIR_MIGRATION_FREQUENCY`` 1).
    scale : bool
        Whether instances start and stop (``ENABLE_SCALING`` False).
    scale_up_below, scale_down_above : float
        Mean freeness that is kept, steps (the paper: 10 to 60).
    scale_every_s : float
        Time between two looks at it, seconds (``SCALING_INTERVAL`` 10).
    least_instances : int
        Fewest that serve (``MIN_INSTANCES`` 1).
    """

    batcher: str = "vllm-v0"
    metric: Literal["virtual", "blocks", "blocks-defrag"] = "virtual"
    headrooms_tokens: tuple[float, ...] = ()
    migrate: bool = True
    out_below: float = 48.0
    in_above: float = 48.0
    choose: Literal["shortest", "last", "longest"] = "shortest"
    pairing: Literal["defrag", "balanced"] = "defrag"
    preempted_move: bool = False
    every_s: float = 0.05
    scale: bool = False
    scale_up_below: float = 10.0
    scale_down_above: float = 60.0
    scale_every_s: float = 10.0
    least_instances: int = 1

    def __post_init__(self) -> None:
        get_recipe(self.batcher)
        for name, allowed in (
            ("metric", ("virtual", *_METRICS)),
            ("choose", ("shortest", *_CHOICES)),
            ("pairing", tuple(_PAIRINGS)),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(f"LlumnixSettings.{name} = {getattr(self, name)!r}: must be one of {allowed}")
        check_is(self, "headrooms_tokens", tuple)
        require_headrooms(self.headrooms_tokens)
        for name in ("migrate", "preempted_move", "scale"):
            check_is(self, name, bool)
        for name in ("out_below", "in_above", "scale_up_below", "scale_down_above"):
            check_number(self, name)
        for low, high in (("out_below", "in_above"), ("scale_up_below", "scale_down_above")):
            if getattr(self, low) > getattr(self, high):
                raise InputError(
                    f"LlumnixSettings.{low} = {getattr(self, low)}: must be at most {high} = {getattr(self, high)}"
                )
        for name in ("every_s", "scale_every_s"):
            check_number(self, name, above=True, unit="seconds")
        check_whole(self, "least_instances")


@dataclass(frozen=True, slots=True)
class Scaling:
    """Keep the mean freeness between two values by starting and stopping instances, one at a time.

    The mean is the memory left on all serving instances over all requests (the code's ``avg_load``).

    Ours: the lowest-numbered instance that is off starts, and nothing happens while one starts or drains; the one with
    the fewest requests stops, the highest-numbered of them.

    Parameters
    ----------
    metric : Metric
        What an instance has left.
    below, above : float
        Mean freeness that is kept, steps.
    least_instances : int
        Fewest that serve.
    """

    metric: Metric
    below: float
    above: float
    least_instances: int

    def __call__(self, view: FleetView) -> list[Action]:
        """At most one order."""
        serving = view.members(EVERY)
        if not serving or view.in_state(State.STARTING) or view.in_state(State.DRAINING):
            return []
        spares = [self.metric(view, instance) for instance in serving]
        mean = Spare(sum(s.tokens for s in spares), sum(s.requests for s in spares)).freeness
        off = view.in_state(State.OFF)
        if mean < self.below and off:
            return [Start(off[0])]
        if mean > self.above and len(serving) > self.least_instances:
            return [Stop(min(serving, key=lambda i: (view.in_system(i), -i)))]
        return []


@dataclass(frozen=True, slots=True)
class Rounds:
    """Controllers that take turns, each at its own distance in time.

    Parameters
    ----------
    turns : tuple of (Controller, int)
        Each with the number of ticks between two of its turns; it has one at the first tick.
    """

    turns: tuple[tuple[Controller, int], ...]

    def __call__(self, view: FleetView) -> Sequence[Action]:
        """What those say whose turn it is."""
        tick = view.memo[Rounds] = view.memo.get(Rounds, -1) + 1
        return [action for control, every in self.turns if tick % every == 0 for action in control(view)]


def llumnix(workload: Workload, fleet: Fleet, settings: LlumnixSettings) -> Policy:
    """Llumnix over a registered batcher; how requests are copied, and for how long they stand still, is the fleet's.

    Notes
    -----
    A fleet's `StagedCopy` has the code's 3 stages by default, and at most 16 blocks of 16 tokens in the last
    one. The paper's priorities at the instance itself (high priority first in the queue) are no part of it: the batcher
    orders the queue.

    Raises
    ------
    InputError
        When the fleet tells prefill from decode.
    """
    if any(group.role is not Role.MIXED for group in fleet.groups):
        raise InputError("llumnix needs instances that do everything: a group of the fleet has another role")
    metric = VirtualUsage(settings.headrooms_tokens) if settings.metric == "virtual" else _METRICS[settings.metric]
    turns: list[tuple[Controller, int]] = []
    if settings.migrate:
        choose = _CHOICES.get(settings.choose) or ShortestFirst(settings.headrooms_tokens)
        alarmed = has_preempted if settings.preempted_move else never_alarmed
        worthwhile = _PAIRINGS[settings.pairing]
        turns.append((Rebalancing(metric, settings.out_below, settings.in_above, choose, worthwhile, alarmed), 1))
    if settings.scale:
        scaling = Scaling(metric, settings.scale_up_below, settings.scale_down_above, settings.least_instances)
        turns.append((scaling, max(1, round(settings.scale_every_s / settings.every_s))))
    built = get_recipe(settings.batcher).build(workload, fleet)
    return replace(
        built,
        name="llumnix",
        route=Freest(metric),
        control=Rounds(tuple(turns)) if turns else None,
        control_every_s=settings.every_s if turns else None,
        settings={**built.settings, **asdict(settings)},
    )


SYSTEMS = (
    System(
        "llumnix",
        "Llumnix: dispatch to the freest, live migration from below 48 steps of freeness to above, scaling off",
        LlumnixSettings,
        llumnix,
    ),
)
