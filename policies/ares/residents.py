"""The requests of an instance as a rescheduler sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orsched.work import Floats, Ints
from policies.ares.lengths import RemainingLength

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True, eq=False)
class Residents:
    """Requests that are on an instance, or will be; arrays of shape ``(r,)``.

    Parameters
    ----------
    requests : ndarray of int64
        Their numbers.
    context_tokens : ndarray of int64
        KV tokens that each reads in its next decode iteration; those recomputed after a preemption count as cached.
    remaining_tokens : ndarray of float64
        Output tokens that each is taken to have left, >= 1, possibly infinite.
    movable : ndarray of bool
        Whether it decodes here and is not told to migrate yet.
    """

    requests: Ints
    context_tokens: Ints
    remaining_tokens: Floats
    movable: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.requests)


def residents_of(view: FleetView, instance: int, remaining: RemainingLength) -> Residents:
    """Look at an instance now.

    On it, or about to be: requests that run there, wait there to be recomputed, or are on their way to it with their KV
    cache. Those told to migrate elsewhere count there, though they still decode here.
    """
    movable = view.decoding(instance)
    departing, decoding = view.copying(instance), set(movable)
    others = [r for r in view.running(instance) if r not in decoding and r not in departing]
    others += [*view.waiting(instance), *view.coming(instance)]
    emitted = view.emitted_by(instance)
    emitted.update((r, view.emitted_tokens(r)) for r in others)
    requests = movable + others
    return Residents(
        np.array(requests, dtype=np.int64),
        np.array([view.input_tokens(r) + emitted[r] - 1 for r in requests], dtype=np.int64),
        np.array(remaining(view, instance, requests), dtype=np.float64),
        np.arange(len(requests)) < len(movable),
    )
