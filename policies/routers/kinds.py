"""The least value among the instances of each kind, for scores whose order is the same within a kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.catalogue import Hardware
    from orsched.engine.fleet_view import FleetView
    from orsched.link import Link


def least_of_each_kind(
    view: FleetView, name: str, value: Callable[[int], float], apart: Collection[int]
) -> Iterator[int]:
    """Yield, for each pair of hardware and link, its instance with the least value among those a router chooses from.

    Costs O(log n) for every instance that has changed, kind that there is, and instance apart.

    Parameters
    ----------
    view : FleetView
        The fleet.
    name : str
        Names the value, as for `FleetView.least`.
    value : callable
        ``value(instance)``: changes only when the instance does.
    apart : collection of int
        Instances to leave out; they are yielded only where a kind has no others.
    """
    kinds = view.memo.get("kinds")
    if kinds is None:
        kinds = view.memo["kinds"] = _kinds(view)

    def exact(instance: int) -> float:
        return math.inf if instance in apart else value(instance)

    for kind in range(max(kinds) + 1):
        found = view.least(f"{name}, kind {kind}", _within(kinds, kind, value), exact=exact)
        if found is not None:
            yield found


def _within(kinds: list[int], kind: int, value: Callable[[int], float]) -> Callable[[int], float]:
    def value_within(instance: int) -> float:
        return value(instance) if kinds[instance] == kind else math.inf

    return value_within


def _kinds(view: FleetView) -> list[int]:
    """Number of the kind of every instance."""
    known: list[tuple[Hardware, Link]] = []
    kinds = []
    for instance in range(view.size):
        kind = (view.hardware(instance), view.link(instance))
        if kind not in known:
            known.append(kind)
        kinds.append(known.index(kind))
    return kinds
