"""What happens at equal distances in time: control by the policy, and samples of the load."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from orsched.engine.stranded import stranded
from orsched.errors import InputError, PlanError
from orsched.fleet_log import FleetSamples

if TYPE_CHECKING:
    from orsched.engine.cluster import Cluster
    from orsched.policy import Controller

MOST_VAIN_TICKS = 100_000
"""Ticks in a row that may pass while nothing but ticks is to come."""


class Ticks:
    """Calls ``tick(time_s)`` every `period_s` seconds from `first_s` on, for as long as requests are unfinished.

    When nothing is to come but ticks, and these have changed nothing for `MOST_VAIN_TICKS` times, nothing ever will.

    Parameters
    ----------
    cluster : Cluster
        The fleet.
    first_s, period_s : float
        When, seconds.
    tick : callable
        What happens.
    """

    __slots__ = ("_appointment", "_cluster", "_count", "_first_s", "_period_s", "_tick", "_vain")

    def __init__(self, cluster: Cluster, first_s: float, period_s: float, tick: Callable[[float], None]) -> None:
        self._cluster = cluster
        self._first_s = first_s
        self._period_s = period_s
        self._tick = tick
        self._count = 0
        self._vain = 0
        self._appointment = cluster.calendar.outside_appointment(self._happen)
        self._book(first_s)

    def _happen(self, now_s: float) -> None:
        if not self._cluster.requests.unfinished:
            return
        cluster = self._cluster
        cluster.ticking -= 1
        self._tick(now_s)
        self._vain = 0 if cluster.calendar.holds_more_than(cluster.ticking) else self._vain + 1
        if self._vain > MOST_VAIN_TICKS:
            raise PlanError(
                f"t = {now_s:.6g} s: nothing has happened for {MOST_VAIN_TICKS} ticks of {self._period_s:g} s, and "
                f"{self._cluster.requests.unfinished} requests are unfinished: {stranded(self._cluster)}"
            )
        self._count += 1
        self._book(self._first_s + self._count * self._period_s)

    def _book(self, time_s: float) -> None:
        self._cluster.ticking += 1
        self._appointment.book(time_s)


class Control:
    """Lets the policy control the fleet.

    Parameters
    ----------
    cluster : Cluster
        The fleet.
    control : Controller
        The policy's part.
    """

    __slots__ = ("_cluster", "_control")

    def __init__(self, cluster: Cluster, control: Controller) -> None:
        self._cluster = cluster
        self._control = control

    def __call__(self, now_s: float) -> None:
        """Ask it, do what it orders, and look again at the requests that wait."""
        self._cluster.view.now_s = now_s
        orders = self._control(self._cluster.view)
        if not isinstance(orders, Iterable):
            raise InputError(f"the policy's control returned {orders!r}: it returns actions, an empty list for none")
        self._cluster.act(orders, now_s)
        self._cluster.dispatch.review(now_s)


class Sampler:
    """Records the load of every instance.

    Parameters
    ----------
    cluster : Cluster
        The fleet.
    """

    __slots__ = ("_cluster", "_in_system", "_kv_tokens", "_times_s")

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._times_s: list[float] = []
        self._in_system: list[list[int]] = []
        self._kv_tokens: list[list[int]] = []

    def __call__(self, now_s: float) -> None:
        """Take a sample."""
        instances = self._cluster.instances
        self._times_s.append(now_s)
        self._in_system.append([i.in_system for i in instances])
        self._kv_tokens.append([i.kv_tokens_at(now_s) for i in instances])

    def collect(self) -> FleetSamples:
        """All samples."""
        shape = (len(self._times_s), len(self._cluster.instances))
        loads = (np.array(rows, dtype=np.int64).reshape(shape) for rows in (self._in_system, self._kv_tokens))
        return FleetSamples(np.array(self._times_s), *loads)
