"""For each number of requests, the instance with the least value: candidates of scores that rise with both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView
    from orsched.engine.pool import Pool


class Frontier:
    """Heaps of (value, instance) by the number of requests, over a pool.

    A change costs O(log n), a question O(distinct numbers of requests).

    Parameters
    ----------
    view : FleetView
        The fleet.
    pool : Pool
        Whom to choose from.
    value : callable
        ``value(instance)``: changes only when the instance does.
    """

    __slots__ = ("_changed", "_entries", "_heaps", "_now", "_pool", "_value", "_view")

    def __init__(self, view: FleetView, pool: Pool, value: Callable[[int], int]) -> None:
        self._view = view
        self._pool = pool
        self._value = value
        self._changed = view.changed(self)
        self._now: list[tuple[int, int] | None] = [None] * view.size
        self._heaps: dict[int, list[tuple[int, int]]] = {}
        self._entries = 0

    def candidates(self) -> Iterator[int]:
        """Yield the instance with the least value for each number of requests, ties to the lowest index."""
        self._refresh()
        for count, heap in list(self._heaps.items()):
            while heap and self._now[heap[0][1]] != (count, heap[0][0]):
                heappop(heap)
                self._entries -= 1
            if heap:
                yield heap[0][1]
            else:
                del self._heaps[count]

    def _refresh(self) -> None:
        view = self._view
        for instance in self._changed:
            found = None
            if view.belongs(instance, self._pool):
                found = (view.in_system(instance), self._value(instance))
            if found != self._now[instance]:
                self._now[instance] = found
                if found is not None:
                    self._push(instance, found)
        self._changed.clear()
        if self._entries > 2 * len(self._now) + 16:
            self._heaps.clear()
            self._entries = 0
            for instance, entry in enumerate(self._now):
                if entry is not None:
                    self._push(instance, entry)

    def _push(self, instance: int, entry: tuple[int, int]) -> None:
        count, value = entry
        heappush(self._heaps.setdefault(count, []), (value, instance))
        self._entries += 1
