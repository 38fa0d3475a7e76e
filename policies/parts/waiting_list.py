"""Waiting requests in an order that changes: what a policy keeps beside the queue of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from policies.parts.ranked import Choice, Ranked

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


class WaitingList:
    """Waiting requests by rank, ties by identity; O(log n) a change, iterable in order while it does not change."""

    __slots__ = ("_entries", "_rank", "_seen")

    def __init__(self) -> None:
        from sortedcontainers import SortedList

        self._entries = SortedList()
        self._rank: dict[int, Any] = {}
        self._seen = 0

    def arrivals(self, view: InstanceView) -> Sequence[int]:
        """Requests that have arrived since this was last asked, in order of arrival; they are not added."""
        seen, self._seen = self._seen, len(view.arrived)
        return view.arrived[seen:]

    def add(self, request: int, rank: Any) -> None:
        """Put a request in."""
        self._rank[request] = rank
        self._entries.add((rank, request))

    def remove(self, request: int) -> None:
        """Take a request out."""
        self._entries.remove((self._rank.pop(request), request))

    def rerank(self, request: int, rank: Any) -> None:
        """Give a request another rank, if it is in."""
        if request in self._rank:
            self.remove(request)
            self.add(request, rank)

    def follow(self, choice: Choice, rank: Callable[[int], Any]) -> None:
        """Take out who starts, and put in who is preempted."""
        for request in choice.admitted:
            self.remove(request)
        for request in choice.preempted:
            self.add(request, rank(request))

    def __iter__(self) -> Iterator[Ranked]:
        """``(rank, request)`` in ascending order."""
        return iter(self._entries)

    def renewed(self, rank: Callable[[int], Any]) -> Iterator[Ranked]:
        """The same with ranks computed anew, for no more requests than needed; a rank that became better stays.

        The list must not change meanwhile.
        """
        entries, done, place = self._entries, set(), 0
        while place < len(entries):
            old, request = entries[place]
            if request in done:
                yield entries[place]
                place += 1
                continue
            done.add(request)
            new = rank(request)
            if new > old:
                self.rerank(request, new)


def by_arrival(input_tokens: int, output_tokens: int | None, /) -> float:
    """Queue key of a policy that keeps its own order: the engine's queue stays in order of arrival, O(log n)."""
    return 0.0
