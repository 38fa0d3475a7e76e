"""What a rescheduler takes for the output tokens that a request has still to emit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


class RemainingLength(Protocol):
    """Says how many output tokens requests of an instance are taken to have left."""

    def __call__(self, view: FleetView, instance: int, requests: Sequence[int], /) -> list[float]:
        """Return a number >= 1, possibly infinite, for each of `requests`."""
        ...


def known(view: FleetView, instance: int, requests: Sequence[int], /) -> list[float]:
    """What the policy's information says: predicted again and again, or the truth."""
    decoding = view.remaining_by(instance)
    return [decoding[r] if r in decoding else view.remaining_tokens(r) for r in requests]


def unknown(view: FleetView, instance: int, requests: Sequence[int], /) -> list[float]:
    """Nothing is known: nobody is taken to end."""
    return [math.inf] * len(requests)
