"""An index over instances that finds the least value without scanning the fleet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush


class LeastIndex:
    """Lazy heap of (value, instance); an entry is stale when the instance's value has changed since.

    Each change costs one push; the heap is rebuilt when stale entries outnumber the instances, so both
    memory and the amortised cost per change stay O(log fleet) and O(fleet).

    Parameters
    ----------
    inside : list of bool
        Which instances can be found.
    value : callable
        Finite value of an instance when it was last changed.
    changed : set of int
        Instances that have changed since the last question; everybody who asks empties it. Holds all of them at first.
    """

    __slots__ = ("_changed", "_heap", "_inside", "_value", "_values")

    def __init__(self, inside: list[bool], value: Callable[[int], float], changed: set[int]) -> None:
        self._inside = inside
        self._values = [math.inf] * len(inside)
        self._heap: list[tuple[float, int]] = []
        self._value = value
        self._changed = changed

    def admit(self, instance: int, inside: bool) -> None:
        """Let an instance be found from now on, or not."""
        self._inside[instance] = inside
        self._changed.add(instance)

    def least(self, exact: Callable[[int], float] | None = None) -> int | None:
        """Instance with the least value, ties to the lowest index; None when none can be found.

        Parameters
        ----------
        exact : callable, optional
            True value of an instance, never below the one at its last change; without it these are exact.
        """
        self._refresh()
        heap, values = self._heap, self._values
        seen: list[tuple[float, int]] = []
        best: tuple[float, int] | None = None
        while heap:
            value, instance = heap[0]
            if best is not None and (value, instance) > best:
                break
            if values[instance] != value:
                heappop(heap)
                continue
            if exact is None:
                return instance
            entry = heappop(heap)
            if not seen or entry != seen[-1]:
                seen.append(entry)
                candidate = (exact(instance), instance)
                if best is None or candidate < best:
                    best = candidate
        self._restore(seen)
        return None if best is None else best[1]

    def _refresh(self) -> None:
        heap, values, value_of, inside = self._heap, self._values, self._value, self._inside
        for instance in self._changed:
            value = value_of(instance) if inside[instance] else math.inf
            if value != values[instance]:
                values[instance] = value
                if value < math.inf:
                    heappush(heap, (value, instance))
        self._changed.clear()
        if len(heap) > 2 * len(values) + 16:
            self._heap = [(v, i) for i, v in enumerate(values) if v < math.inf]
            heapify(self._heap)

    def _restore(self, entries: Iterable[tuple[float, int]]) -> None:
        for entry in entries:
            heappush(self._heap, entry)
