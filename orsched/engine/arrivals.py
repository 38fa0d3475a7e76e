"""Arrivals: requests reach the fleet in order of time."""

from __future__ import annotations

import math
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
        self._times = cluster.requests.arrival_s
        self._check = check
        self._following = 0
        self._next = cluster.calendar.outside_appointment(self._arrive)
        self._book(self._times[0])

    def _arrive(self, now_s: float) -> None:
        """Submit all requests that arrive at this instant and book the next arrival."""
        times, following, last = self._times, self._following, len(self._times)
        submit = self._cluster.dispatch.submit
        touched: dict[Instance | None, None] = {}
        while following < last and times[following] == now_s:
            touched[submit(following, now_s)] = None
            following += 1
        self._following = following
        if following < last:
            self._book(times[following])
        else:
            self._cluster.calendar.next_arrival_s = math.inf
            for member in self._cluster.instances:
                member.closed = True
        for instance in touched:
            if instance is not None:
                self._wake(instance, now_s)
        if following == last:
            for other in self._cluster.instances:
                if other not in touched:
                    other.stream.on_close(now_s)
        if self._check:
            for idle in self._cluster.instances:
                if not idle.stream.busy:
                    idle.check_integrity()

    def _wake(self, instance: Instance, now_s: float) -> None:
        """Tell an instance; one that is the whole fleet and idle need not go through the calendar."""
        stream = instance.stream
        if self._cluster.alone and not stream.busy:
            stream.resume(now_s)
        else:
            stream.on_arrival(now_s)

    def _book(self, time_s: float) -> None:
        self._cluster.calendar.next_arrival_s = time_s
        self._next.book(time_s)
