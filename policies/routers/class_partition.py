"""Instances of their own for every class of requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orsched.checks import check_has, require_number
from orsched.engine.actions import Routing
from orsched.engine.pool import DECODERS
from orsched.engine.state import State
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Role
from orsched.policy import Router
from policies.routers.counts import join_shortest_queue
from policies.routers.slo_admission import A_ROUTER

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class ClassPartition:
    """Each workload class has the instances of one tier, among which another router chooses.

    A class whose instances are all off or dead waits for them. For fleets with decoding instances, `place` keeps the
    classes apart there too: give it to the policy. Costs what the inner router does.

    Parameters
    ----------
    router : Router
        Chooses within the tier.
    tiers : tuple of (str or None), optional
        Tier of each workload class, in the order of the classes. None: class ``k`` has the ``k``-th tier in the order
        of the fleet's instances (around, when classes are more), those left out that are off at the first request; and
        all instances if they have no tiers.
    """

    router: Router = join_shortest_queue
    tiers: tuple[str | None, ...] | None = None

    def __post_init__(self) -> None:
        check_has(self, "router", A_ROUTER, "__call__")
        tiers = self.tiers
        if tiers is not None and not (
            isinstance(tiers, tuple) and tiers and all(tier is None or isinstance(tier, str) for tier in tiers)
        ):
            raise InputError(f"ClassPartition.tiers = {tiers!r}: must be a tuple of at least one tier")

    def __call__(self, view: FleetView, request: int, /) -> int | Routing | None:
        """Return what the inner router chooses among the instances of the request's class."""
        with view.entering(view.entry.of_tier(self.tier_of(view, request))):
            return self.router(view, request)

    def place(self, view: FleetView, request: int, /) -> int | None:
        """Place a finished prompt on the decoding instance of its class with the fewest cached KV tokens."""
        pool = DECODERS.of_tier(self.tier_of(view, request))
        return view.least("resident tokens", view.resident_tokens, pool, exact=view.kv_tokens)

    def tier_of(self, view: FleetView, request: int) -> str | None:
        """Tier that serves a request.

        Raises
        ------
        InputError
            When its class has none.
        """
        label = view.label(request)
        if self.tiers is not None:
            if label >= len(self.tiers):
                raise InputError(
                    f"ClassPartition.tiers names {len(self.tiers)} tiers; request {request} is of class {label}"
                )
            return self.tiers[label]
        tiers: list[str | None] | None = view.memo.get("tiers of classes")
        if tiers is None:
            on = (i for i in range(view.size) if view.role(i) is not Role.DECODE and view.state(i) is not State.OFF)
            named = (tier for tier in map(view.tier, on) if tier is not None)
            tiers = view.memo["tiers of classes"] = list(dict.fromkeys(named)) or [None]
        return tiers[label % len(tiers)]


def divided(fleet: Fleet, tiers: Sequence[str], shares: Sequence[float]) -> Fleet:
    """Divide every group of a fleet among tiers in proportion to shares.

    Sizes are rounded to the largest remainders, ties to the first tier.

    Parameters
    ----------
    fleet : Fleet
        Groups without instances that are off.
    tiers : sequence of str
        Their names.
    shares : sequence of float
        As many numbers above 0.

    Raises
    ------
    InputError
        When there are not as many shares as tiers, a share is not above 0, a group has instances that are off, or a
        tier gets no instance of a group.
    """
    if len(tiers) != len(shares) or not tiers:
        raise InputError(f"{len(tiers)} tiers and {len(shares)} shares: give each tier its share")
    for tier, share in zip(tiers, shares, strict=True):
        require_number(f"share of tier {tier!r}", share, above=True)
    groups = []
    for group in fleet.groups:
        if group.off:
            raise InputError(f"group {group.name!r} has {group.off} instances that are off: they belong to no tier")
        exact = [group.size * share / math.fsum(shares) for share in shares]
        sizes = [math.floor(size) for size in exact]
        rest = sorted(range(len(tiers)), key=lambda k: (sizes[k] - exact[k], k))
        for k in rest[: group.size - sum(sizes)]:
            sizes[k] += 1
        for tier, size in zip(tiers, sizes, strict=True):
            if not size:
                raise InputError(f"tier {tier!r} gets none of the {group.size} instances of group {group.name!r}")
            groups.append(replace(group, size=size, tier=tier))
    return replace(fleet, groups=tuple(groups))
