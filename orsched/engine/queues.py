"""Waiting queues: first come first served, or ordered by a key."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol


class WaitingQueue(Protocol):
    """Requests waiting for admission, in the order the policy wants them."""

    def __contains__(self, request: object, /) -> bool: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[int]: ...

    def push(self, request: int) -> None:
        """Add a newly arrived request."""
        ...

    def push_back(self, request: int) -> None:
        """Return a preempted request."""
        ...

    def remove(self, request: int) -> None:
        """Take a request out; raises ValueError when it is not there."""
        ...


class FifoQueue(deque[int]):
    """First come first served; a preempted request returns to the front. O(1) at the head."""

    push = deque.append
    push_back = deque.appendleft


class KeyedQueue:
    """Ordered by ``key(request)``, ties by identity; O(log n)."""

    __slots__ = ("_items",)

    def __init__(self, key: Callable[[int], float]) -> None:
        from sortedcontainers import SortedKeyList

        self._items = SortedKeyList(key=lambda request: (key(request), request))

    def __contains__(self, request: object, /) -> bool:
        return request in self._items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[int]:
        return iter(self._items)

    def push(self, request: int) -> None:
        """Insert by key."""
        self._items.add(request)

    def push_back(self, request: int) -> None:
        """Insert by key: the order does not depend on how often a request ran."""
        self._items.add(request)

    def remove(self, request: int) -> None:
        """Take a request out."""
        self._items.remove(request)
