"""Freeness of an instance: for how many more steps its batch can grow, after Llumnix (arXiv 2406.03243)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from orsched.checks import require_number
from orsched.engine.state import State

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


class Spare(NamedTuple):
    """Memory that an instance has left, and who shares it.

    Parameters
    ----------
    tokens : float
        KV tokens left; negative when more is asked for than there is.
    requests : int
        Requests that take one more token each in every step.
    """

    tokens: float
    requests: int

    @property
    def freeness(self) -> float:
        """Steps until the memory is full; infinite when nobody takes any and some is left."""
        if self.requests:
            return self.tokens / self.requests
        return math.inf if self.tokens > 0 else -math.inf

    def after(self, tokens: int, requests: int) -> Spare:
        """The same once requests that hold so many tokens have come (negative numbers: have left)."""
        return Spare(self.tokens - tokens, self.requests + requests)


class Metric(Protocol):
    """What an instance has left, exact now; its freeness never grows between two changes of the instance."""

    def __call__(self, view: FleetView, instance: int, /) -> Spare:
        """Return it."""
        ...


@dataclass(frozen=True, slots=True)
class VirtualUsage:
    """Llumnix's freeness ``F = (M - sum V) / B`` (arXiv 2406.03243, section 4.4).

    A running request's virtual usage V is what it holds, and its share of the headroom of its priority, which is spread
    over the running requests of that priority: together they add the headroom once, if there is one. The first
    waiting request counts with all it needs, the others with nothing. An instance that drains counts as if a request
    asked for infinitely much.

    Ours: B counts the first waiting request too, whose demand is in the sum; the blocks held for requests on
    their way to the instance count as held; F is infinite for an empty instance.

    Parameters
    ----------
    headrooms_tokens : tuple of float
        Headroom of each workload class, KV tokens; classes beyond its end have none.
    """

    headrooms_tokens: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require_headrooms(self.headrooms_tokens)

    def __call__(self, view: FleetView, instance: int) -> Spare:
        """Memory less the virtual usages, over the batch."""
        if view.state(instance) is State.DRAINING:
            return Spare(-math.inf, 1)
        demand, waiting = first_demand(view, instance)
        spare: float = (view.unused_blocks(instance) - demand) * view.hardware(instance).block_tokens
        running = view.running(instance)
        if self.headrooms_tokens:
            priorities = {view.label(request) for request in running}
            spare -= sum(headroom(self.headrooms_tokens, priority) for priority in priorities)
        return Spare(spare, len(running) + waiting)


Demand = Callable[["FleetView", int], tuple[float, int]]
"""Blocks that waiting requests of an instance need, and how many requests these are."""


def first_demand(view: FleetView, instance: int) -> tuple[int, int]:
    """That of the first waiting request."""
    for request in view.waiting(instance):
        return view.blocks_for(instance, view.prompt_tokens(request)), 1
    return 0, 0


def queue_demand(view: FleetView, instance: int) -> tuple[float, int]:
    """That of all waiting requests, in fractions of blocks as in the repository."""
    tokens, block = 0, view.hardware(instance).block_tokens
    for request in view.waiting(instance):
        tokens += view.prompt_tokens(request)
    return tokens / block, view.num_waiting(instance)


def first_demand_of_all(view: FleetView, instance: int) -> tuple[int, int]:
    """Blocks of the first waiting request, shared by all that wait: the repository with ``enable_defrag``."""
    return first_demand(view, instance)[0], view.num_waiting(instance)


@dataclass(frozen=True, slots=True)
class RemainingSteps:
    """The repository's ``remaining_steps`` (AlibabaPAI/llumnix 24220fb), times the tokens of a block.

    There it is (free blocks - blocks that waiting requests need) / (running + waiting requests), blocks per request.

    Parameters
    ----------
    demand : callable
        Who of the waiting requests counts: `queue_demand`, or `first_demand_of_all` to make room for the first of them.
    """

    demand: Demand = queue_demand

    def __call__(self, view: FleetView, instance: int) -> Spare:
        """Free blocks less those that waiting requests need, as tokens."""
        if view.state(instance) is State.DRAINING:
            return Spare(-math.inf, 1)
        demand, waiting = self.demand(view, instance)
        spare = (view.unused_blocks(instance) - demand) * view.hardware(instance).block_tokens
        return Spare(spare, view.num_running(instance) + waiting)


@dataclass(frozen=True, slots=True)
class Freest:
    """Router: the instance with the greatest freeness, ties to the lowest number.

    Parameters
    ----------
    metric : Metric
        What an instance has left.
    """

    metric: Metric

    def __call__(self, view: FleetView, request: int) -> int | None:
        """The freest instance that takes new requests; None when there is none."""

        def load(instance: int) -> float:
            return -self.metric(view, instance).freeness

        return view.least("negative freeness", load, exact=load)


def headroom(headrooms_tokens: tuple[float, ...], priority: int) -> float:
    """Headroom of a workload class, KV tokens."""
    return headrooms_tokens[priority] if priority < len(headrooms_tokens) else 0.0


def require_headrooms(headrooms_tokens: tuple[float, ...]) -> None:
    """Refuse headrooms that are no numbers of tokens."""
    for value in headrooms_tokens:
        require_number("headrooms_tokens", value)
