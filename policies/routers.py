"""Routers over identical instances: which instance serves an arriving request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.view import FleetView


def round_robin(view: FleetView, request: int, /) -> int:
    """Instance ``k mod n`` for the ``k``-th routed request."""
    return view.routed % view.size


def random_instance(view: FleetView, request: int, /) -> int:
    """An instance drawn uniformly."""
    return int(view.rng.integers(view.size))


def power_of_two(view: FleetView, request: int, /) -> int:
    """The one with fewer requests of two distinct random instances, ties to the first drawn."""
    if view.size == 1:
        return 0
    first = int(view.rng.integers(view.size))
    second = int(view.rng.integers(view.size - 1))
    second += second >= first
    return second if view.in_system(second) < view.in_system(first) else first


def join_shortest_queue(view: FleetView, request: int, /) -> int:
    """The instance with the fewest requests waiting or running, ties to the lowest index."""
    return view.least_in_system()


def least_kv(view: FleetView, request: int, /) -> int:
    """The instance with the fewest cached KV tokens, ties to the lowest index."""
    return view.least_kv_tokens()
