"""Routers over the instances that take new requests: which of them serves an arriving request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


def round_robin(view: FleetView, request: int, /) -> int | None:
    """The ``k mod n``-th of ``n`` instances for the ``k``-th routed request."""
    members = view.members()
    return members[view.routed % len(members)] if members else None


def random_instance(view: FleetView, request: int, /) -> int | None:
    """An instance drawn uniformly."""
    members = view.members()
    return members[int(view.rng.integers(len(members)))] if members else None


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


def least_kv(view: FleetView, request: int, /) -> int | None:
    """The instance with the fewest cached KV tokens, ties to the lowest index."""
    return view.least("resident tokens", view.resident_tokens, exact=view.kv_tokens)
