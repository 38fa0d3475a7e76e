"""The router that turns everybody away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orsched.engine.actions import REJECT, Routing

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


def reject(view: FleetView, request: int, /) -> Routing:
    """Turn the request away: for routers that are made of others."""
    return REJECT
