"""Arrivals: requests reach the fleet in order of time."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.cluster import Cluster
    from orsched.engine.instance import Instance


class Arrivals:
    """Submits requests as they arrive and wakes the instances they land on.

    Parameters
    ----------
    cluster : Cluster
        The fleet.
    check : bool
        Whether to check the books of idle instances after each arrival.
    """

    def __init__(self, cluster: Cluster, check: bool) -> None:
        self._cluster = cluster
        self._calendar = cluster.calendar
        self._submit = cluster.dispatch.submit
        self._alone = cluster.alone
        self._times = [*cluster.requests.arrival_s, math.inf]
        self._check = check
        self._following = 0
        self._next = self._calendar.arrival_appointment(self._arrive)
        self._calendar.next_arrival_s = self._times[0]
        self._next.book(self._times[0])

    def _arrive(self, now_s: float) -> None:
        """Submit all requests that arrive at this instant, book the next arrival, and wake who has got something."""
        times, following, submit = self._times, self._following, self._submit
        touched = [submit(following, now_s)]
        following += 1
        while times[following] == now_s:
            touched.append(submit(following, now_s))
            following += 1
        self._following = following
        self._calendar.last_outside_s = now_s
        self._calendar.next_arrival_s = next_s = times[following]
        if next_s < math.inf:
            self._next.book(next_s)
        else:
            for member in self._cluster.instances:
                member.closed = True
        for instance in touched if len(touched) == 1 else dict.fromkeys(touched):
            if instance is not None:
                # One that is the whole fleet and idle need not go through the calendar.
                stream = instance.stream
                (stream.resume if self._alone and not stream.epoch.in_flight else stream.on_arrival)(now_s)
        if next_s == math.inf:
            self._close(touched, now_s)
        if self._check:
            for idle in self._cluster.instances:
                if not idle.stream.busy:
                    idle.check_integrity()

    def _close(self, touched: Collection[Instance | None], now_s: float) -> None:
        """Tell those who have got nothing now that nothing will come any more."""
        for other in self._cluster.instances:
            if other not in touched:
                other.stream.on_close(now_s)
