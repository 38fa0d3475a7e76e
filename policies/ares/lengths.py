"""What a rescheduler takes for the output tokens that a request has still to emit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


class RemainingLength(Protocol):
    """Says how many output tokens a request is taken to have left."""

    def __call__(self, view: FleetView, request: int, /) -> float:
        """Return a number >= 1, possibly infinite."""
        ...


def known(view: FleetView, request: int, /) -> float:
    """What the policy's information says: predicted again and again, or the truth."""
    return view.remaining_tokens(request)


def unknown(view: FleetView, request: int, /) -> float:
    """Nothing is known: nobody is taken to end."""
    return math.inf
