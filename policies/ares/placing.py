"""Which decode instance takes over a finished prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.engine.pool import DECODERS
from policies.ares.lengths import RemainingLength
from policies.ares.pool_forecast import Horizon, PoolForecast

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView

_TURN = "next hand-off"


def in_turn(view: FleetView, request: int, /) -> int | None:
    """Place on the serving decode instances in turn, whatever they have."""
    members = view.members(DECODERS)
    if not members:
        return None
    turn: int = view.memo.get(_TURN, 0)
    view.memo[_TURN] = turn + 1
    return members[turn % len(members)]


@dataclass(frozen=True, slots=True)
class LeastForecast:
    """Places on the decode instance with the least mean predicted load, ties to the lowest index.

    It looks at every resident of the pool at each hand-off.

    Parameters
    ----------
    horizon : Horizon
        How far to look.
    remaining : RemainingLength
        What requests are taken to have left.
    """

    horizon: Horizon
    remaining: RemainingLength

    def __call__(self, view: FleetView, request: int, /) -> int | None:
        """Return the instance; None when none serves."""
        members = view.members(DECODERS)
        if not members:
            return None
        pool = PoolForecast.of(view, members, self.horizon, self.remaining)
        return members[int(pool.load.mean_load().argmin())]
