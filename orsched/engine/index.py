"""An index over instances that finds the least value without scanning the fleet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.instance import Instance


class LeastIndex:
    """Lazy heap of (value, instance); an entry is stale when the instance's value has changed since.

    Each change costs one push; the heap is rebuilt when stale entries outnumber the instances, so both
    memory and the amortised cost per change stay O(log fleet) and O(fleet).
    """

    __slots__ = ("_heap", "_values")

    def __init__(self, values: Sequence[int]) -> None:
        self._values = list(values)
        self._heap = [(value, i) for i, value in enumerate(values)]
        heapify(self._heap)

    @classmethod
    def over(cls, instances: Sequence[Instance], quantity: str) -> LeastIndex:
        """Index an integer attribute of the instances and keep it current through their `watchers`."""
        index = cls([getattr(instance, quantity) for instance in instances])
        for instance in instances:
            instance.watchers.append((quantity, index.update))
        return index

    def update(self, instance: int, value: int) -> None:
        """Record the new value of an instance."""
        if self._values[instance] == value:
            return
        self._values[instance] = value
        heappush(self._heap, (value, instance))
        if len(self._heap) > 2 * len(self._values) + 16:
            self._heap = [(v, i) for i, v in enumerate(self._values)]
            heapify(self._heap)

    def least(self, exact: Callable[[int], int] | None = None) -> int:
        """Instance with the least value, ties to the lowest index.

        Parameters
        ----------
        exact : callable, optional
            True value of an instance, never below the indexed one; without it the indexed values are exact.
        """
        heap, values = self._heap, self._values
        seen: list[tuple[int, int]] = []
        best: tuple[int, int] | None = None
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
            if entry not in seen:
                seen.append(entry)
                candidate = (exact(instance), instance)
                if best is None or candidate < best:
                    best = candidate
        for entry in seen:
            heappush(heap, entry)
        assert best is not None
        return best[1]
