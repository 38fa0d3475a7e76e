"""Routers that count requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


def power_of_two(view: FleetView, request: int, /) -> int | None:
    """The one with fewer requests of two distinct random instances, ties to the first drawn."""
    members = view.members()
    if len(members) < 2:
        return members[0] if members else None
    first = int(view.rng.integers(len(members)))
    second = int(view.rng.integers(len(members) - 1))
    second += second >= first
    one, other = members[first], members[second]
    return other if view.in_system(other) < view.in_system(one) else one


def join_shortest_queue(view: FleetView, request: int, /) -> int | None:
    """The instance with the fewest requests waiting or running, ties to the lowest index."""
    return view.least("in system", view.in_system)


def vllm_router(view: FleetView, request: int, /) -> int | None:
    """The least of ``4 waiting + running`` requests (the vLLM router's score), ties to the lowest index."""
    return view.least("vllm score", lambda i: 4 * view.num_waiting(i) + view.num_running(i))
