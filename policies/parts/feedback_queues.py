"""Queues of falling priority with quanta of service: the bookkeeping of a multi-level feedback queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from policies.parts.ranked import PAUSED, RUNNING

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView

TOLERANCE = 1e-6
"""Relative: a quantum ends so much later, and a request is starved so much earlier, that rounding decides nothing."""


class FeedbackQueues:
    """Who is in which queue at which place, and how much of the quantum is used.

    Times of use are differences between the times at which requests start and stop running, so that it does not matter
    how often it is asked in between. Requests go to the back of a queue when they arrive and to its front when they
    come from another; at the front they keep their order.

    Parameters
    ----------
    quanta_s : sequence of float
        Quantum of each queue, seconds; the last one never ends.
    """

    __slots__ = ("_back", "_expiries", "_front", "_idle", "_level", "_place", "_quanta_s", "_since", "_used")

    def __init__(self, quanta_s: Sequence[float]) -> None:
        self._quanta_s = quanta_s
        self._level: dict[int, int] = {}
        self._place: dict[int, int] = {}
        self._used: dict[int, float] = {}
        self._since: dict[int, float] = {}
        self._idle: dict[int, float] = {}
        self._expiries: list[tuple[float, int]] = []
        self._front = self._back = 0

    def rank(self, request: int) -> tuple[int, int]:
        """Queue and place in it; smaller goes first."""
        return self._level[request], self._place[request]

    def join(self, request: int, level: int, arrival_s: float) -> None:
        """A request arrives at the back of a queue; it does not run yet, and what was known of it is forgotten."""
        self._forget([request])
        self._back += 1
        self._level[request], self._place[request], self._used[request] = level, self._back, 0.0
        self._idle[request] = arrival_s

    def start(self, requests: Iterable[int], now_s: float) -> None:
        """`requests` run from now on; running ones go on."""
        for request in requests:
            if request not in self._since:
                del self._idle[request]
                self._since[request] = now_s
                self._watch(request)

    def stop(self, requests: Iterable[int], now_s: float) -> None:
        """`requests` no longer run; idle ones stay idle."""
        for request in requests:
            since = self._since.pop(request, None)
            if since is not None:
                self._used[request] += now_s - since
                self._idle[request] = now_s

    def forget_departed(self, view: InstanceView) -> None:
        """Drop the requests that have left, once those that have come have joined; work only if somebody has left."""
        if len(self._since) != view.decoding(RUNNING):
            self._forget([r for r in self._since if r not in view.running])
        if len(self._idle) != len(view.waiting) + view.decoding(PAUSED):
            self._forget([r for r in self._idle if r not in view.running and r not in view.waiting])

    def demote(self, now_s: float) -> None:
        """Move running requests that have used up their quantum to the front of the next queue, with a new one."""
        over = []
        while self._expiries and self._expiries[0][0] <= now_s:
            expiry, request = heappop(self._expiries)
            if self._expires(request) == expiry:
                over.append(request)
        for request in sorted(over, key=self.rank, reverse=True):
            self._to_front(request, self._level[request] + 1)
            self._used[request], self._since[request] = 0.0, now_s
            self._watch(request)

    def next_expiry_s(self) -> float:
        """When the next running request has used up its quantum."""
        expiries = self._expiries
        while expiries and self._expires(expiries[0][1]) != expiries[0][0]:
            heappop(expiries)
        return expiries[0][0] if expiries else float("inf")

    def promote(self, now_s: float, idle_s: float) -> list[int]:
        """Move requests that have not run for `idle_s` to the front of the first queue; returns them.

        What they have used of their quantum counts against that of the first queue.
        """
        starved = []
        for request, since in self._idle.items():
            if now_s - since < idle_s * (1 - TOLERANCE):
                break
            starved.append(request)
        for request in sorted(starved, key=self.rank, reverse=True):
            self._to_front(request, 0)
        return starved

    def _forget(self, requests: Iterable[int]) -> None:
        for request in requests:
            for book in (self._level, self._place, self._used, self._since, self._idle):
                book.pop(request, None)

    def _to_front(self, request: int, level: int) -> None:
        self._front -= 1
        self._level[request], self._place[request] = level, self._front

    def _watch(self, request: int) -> None:
        expiry = self._expires(request)
        if expiry is not None:
            heappush(self._expiries, (expiry, request))

    def _expires(self, request: int) -> float | None:
        """When a running request will have used up its quantum; None if it does not run or the queue is the last."""
        since, level = self._since.get(request), self._level.get(request, 0)
        if since is None or level == len(self._quanta_s) - 1:
            return None
        return since + self._quanta_s[level] * (1 + TOLERANCE) - self._used[request]
