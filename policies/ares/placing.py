"""Which prefill instance takes a request, and which decode instance takes it over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.engine.pool import DECODERS
from orsched.policy import Router
from policies.ares.lengths import RemainingLength
from policies.ares.pool_forecast import Horizon, PoolForecast
from policies.registry import get_router

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView

_TURN = "next hand-off"


def least_backlog(view: FleetView, request: int, /) -> int | None:
    """Route to the instance with the fewest prompt tokens still to process, ties to the lowest index."""
    return view.least("backlog tokens", view.backlog_tokens)


def prefill_router(name: str) -> Router:
    """Look up `least_backlog` by its name, ``least-backlog``, or a registered router.

    Raises
    ------
    UnknownNameError
        When there is neither; the message suggests the nearest.
    """
    return least_backlog if name == "least-backlog" else get_router(name)


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
