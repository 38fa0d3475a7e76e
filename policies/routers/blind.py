"""Routers that look at nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


def round_robin(view: FleetView, request: int, /) -> int | None:
    """The ``k mod n``-th of ``n`` instances for the ``k``-th routed request."""
    members = view.members()
    if not members:
        return None
    count: int = view.memo.get(("round robin", view.entry), 0)
    view.memo["round robin", view.entry] = count + 1
    return members[count % len(members)]


def random_instance(view: FleetView, request: int, /) -> int | None:
    """An instance drawn uniformly."""
    members = view.members()
    return members[int(view.rng.integers(len(members)))] if members else None
