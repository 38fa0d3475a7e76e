"""The routing ladder (PolyServe, figure 5): own tier, tighter tiers, a claimed server, or wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.engine.actions import KEEP, Routing
from policies.polyserve.admission import Admission, Job, arriving, prefilled
from policies.polyserve.desk import Desk, Desks

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView

Promotion = Callable[[int], tuple[int, ...]]
"""``promotion(own)``: the tiers that are tried for a request of tier `own`, in order; 0 is the tightest."""


def no_promotion(own: int) -> tuple[int, ...]:
    """The own tier only."""
    return (own,)


def lazy_tightest_first(own: int) -> tuple[int, ...]:
    """Tighter tiers once every server of the own tier has refused, the tightest first (a third party's order)."""
    return (own, *range(own))


def lazy_nearest_first(own: int) -> tuple[int, ...]:
    """Tighter tiers once every server of the own tier has refused, the nearest first."""
    return (own, *reversed(range(own)))


def eager_tightest_first(own: int) -> tuple[int, ...]:
    """Tighter tiers before the own one, the tightest first."""
    return (*range(own), own)


def eager_nearest_first(own: int) -> tuple[int, ...]:
    """Tighter tiers before the own one, the nearest first."""
    return (*reversed(range(own)), own)


Claim = Callable[["FleetView", Desk, Job], Routing]
"""``claim(view, desk, job)``: what to do for a request that no server has taken."""


def keep(view: FleetView, desk: Desk, job: Job) -> Routing:
    """Leave it in its tier's queue: the fleet does not scale."""
    return KEEP


@dataclass(frozen=True, slots=True)
class Ladder:
    """The router: the first server, in the order of the tiers and of their servers, that admits the request.

    Parameters
    ----------
    desks : Desks
        What it keeps in mind.
    promotion : Promotion
        Steps 1 and 2: which tiers, in which order.
    admits : Admission
        The tests.
    claim : Claim
        Steps 3 and 4.
    """

    desks: Desks
    promotion: Promotion
    admits: Admission
    claim: Claim = keep

    def __call__(self, view: FleetView, request: int) -> int | Routing:
        """Route `request`."""
        desk = self.desks(view)
        job = self.admits.judged(view, desk, arriving(view, desk, request))
        # Steps 1 and 2: the own tier, and those of `promotion`.
        server = admitting(view, desk, job, self.promotion, self.admits)
        if server is not None:
            return server
        # Steps 3 and 4: a claimed server, or the tier's queue.
        routing = self.claim(view, desk, job)
        return routing


@dataclass(frozen=True, slots=True)
class DecodeLadder:
    """The placer: the same for a finished prompt that looks for a server to decode on; it waits if there is none.

    Parameters
    ----------
    desks, promotion, admits
        As those of `Ladder`.
    """

    desks: Desks
    promotion: Promotion
    admits: Admission

    def __call__(self, view: FleetView, request: int) -> int | None:
        """Place `request`."""
        desk = self.desks(view)
        job = self.admits.judged(view, desk, prefilled(view, desk, request))
        server = admitting(view, desk, job, self.promotion, self.admits)
        if server is None:
            desk.wanted.add(job.tier)
        return server


def admitting(view: FleetView, desk: Desk, job: Job, promotion: Promotion, admits: Admission) -> int | None:
    """First server that admits `job`, which counts as sent there; None when all refuse."""
    for tier in promotion(job.tier):
        for server in admits.candidates(view, desk, tier, job):
            if admits(view, desk, server, tier, job):
                desk.sent(view, server, job.request, job.entry)
                return server
    return None
