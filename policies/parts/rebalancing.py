"""Migration passes: pairs of a crowded and a free instance, and which request moves, after Llumnix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_has, check_number
from orsched.engine.actions import Migrate
from orsched.engine.pool import EVERY, Pool
from orsched.engine.state import State
from orsched.errors import InputError
from policies.parts.freeness import Metric, Spare, headroom, require_headrooms

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView

Choice = Callable[["FleetView", list[int]], int]
"""``choose(view, requests)``: which of the decoding requests of an instance moves; there is at least one."""

Pairing = Callable[[Spare, Spare, int, float], bool]
"""``worthwhile(source, target, tokens, in_above)``: whether a request that holds `tokens` should go."""


@dataclass(frozen=True, slots=True)
class ShortestFirst:
    """Low priority first, then short sequences (arXiv 2406.03243, section 4.4); without priorities the code's SR.

    Parameters
    ----------
    headrooms_tokens : tuple of float
        Headroom of each workload class; less of it is lower priority.
    """

    headrooms_tokens: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require_headrooms(self.headrooms_tokens)

    def __call__(self, view: FleetView, requests: list[int]) -> int:
        """The one of least headroom, then of least context."""
        return min(requests, key=lambda r: (headroom(self.headrooms_tokens, view.label(r)), view.cached_tokens(r), r))


def last_running(view: FleetView, requests: list[int]) -> int:
    """The latest admitted (the code's LCR)."""
    return requests[-1]


def longest_running(view: FleetView, requests: list[int]) -> int:
    """The one of the longest context (the code's LR)."""
    return max(requests, key=lambda r: (view.cached_tokens(r), -r))


def always(source: Spare, target: Spare, tokens: int, in_above: float) -> bool:
    """Every pair (the code's ``defrag``)."""
    return True


def narrows_gap(source: Spare, target: Spare, tokens: int, in_above: float) -> bool:
    """Pairs that the move brings closer, in order, with the target still a target (the code's ``balanced``)."""
    left, came = source.after(-tokens, -1).freeness, target.after(tokens, 1).freeness
    return came >= in_above and 0 < came - left < target.freeness - source.freeness


def never_alarmed(view: FleetView, instance: int) -> bool:
    """No instance is a source or barred as a target beside its freeness (the paper)."""
    return False


def has_preempted(view: FleetView, instance: int) -> bool:
    """Whether a preempted request waits: the code makes such an instance a source, and never a target."""
    return any(view.emitted_tokens(request) > 0 for request in view.waiting(instance))


@dataclass(frozen=True, slots=True)
class Rebalancing:
    """One migration from each of the most crowded instances to the freest, the most crowded to the freest first.

    Sources have a freeness below `out_below` (or drain, or are alarmed), targets one above `in_above`. One request at a
    time leaves an instance, and one comes to it: who takes part in a migration is left out of the pass.

    Parameters
    ----------
    metric : Metric
        What an instance has left.
    out_below, in_above : float
        Thresholds of freeness, steps; `out_below` at most `in_above`.
    choose : Choice
        Which request moves.
    worthwhile : Pairing
        Whether a pair is used.
    alarmed : callable
        ``alarmed(view, instance)``: whether it is a source, and no target, whatever its freeness.
    pool : Pool
        Which instances take part.
    """

    metric: Metric
    out_below: float
    in_above: float
    choose: Choice
    worthwhile: Pairing = always
    alarmed: Callable[[FleetView, int], bool] = never_alarmed
    pool: Pool = EVERY

    def __post_init__(self) -> None:
        for part in ("metric", "choose", "worthwhile", "alarmed"):
            check_has(self, part, "a function", "__call__")
        check_number(self, "out_below")
        check_number(self, "in_above")
        if self.out_below > self.in_above:
            raise InputError(
                f"Rebalancing.out_below = {self.out_below}: must be at most in_above = {self.in_above}, "
                "so that no instance is both a source and a target"
            )

    def __call__(self, view: FleetView) -> list[Migrate]:
        """The migrations of one pass."""
        orders = []
        sources, targets = self._sides(view)
        for (source, out), (target, into) in zip(self._willing(view, sources), targets, strict=False):
            request = self.choose(view, view.decoding(out))
            if self.worthwhile(source, target, view.cached_tokens(request), self.in_above):
                orders.append(Migrate(request, into))
        return orders

    def _sides(self, view: FleetView) -> tuple[list[tuple[Spare, int]], list[tuple[Spare, int]]]:
        """Sources, most crowded first, and targets, freest first."""
        sources, targets = [], []
        for instance in view.members(self.pool):
            spare, alarmed = self.metric(view, instance), self.alarmed(view, instance)
            if alarmed or spare.freeness < self.out_below:
                sources.append((spare, instance))
            elif spare.freeness > self.in_above and not _receives(view, instance):
                targets.append((spare, instance))
        sources += [(self.metric(view, i), i) for i in view.in_state(State.DRAINING) if view.role(i) in self.pool.roles]
        sources.sort(key=lambda side: side[0].freeness)
        targets.sort(key=lambda side: -side[0].freeness)
        return sources, targets

    @staticmethod
    def _willing(view: FleetView, sources: list[tuple[Spare, int]]) -> Iterator[tuple[Spare, int]]:
        """Sources that nobody is leaving now and that have somebody to send."""
        for spare, instance in sources:
            if not view.copying(instance) and not view.parked(instance) and view.decoding(instance):
                yield spare, instance


def _receives(view: FleetView, instance: int) -> bool:
    """Whether a request is on its way to an instance."""
    return bool(view.inbound(instance) or view.instance(instance).num_inbound)
