"""Faults as they happen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from orsched.engine.deaths import bury
from orsched.engine.state import State
from orsched.errors import InputError
from orsched.faults import Fault, InstanceFault, LinkFault, StartUpFault

if TYPE_CHECKING:
    from orsched.engine.cluster import Cluster
    from orsched.engine.instance import Instance


class FaultEvents:
    """Books faults and lets them happen, for as long as requests are unfinished.

    Parameters
    ----------
    cluster : Cluster
        The fleet.
    faults : sequence of Fault
        What breaks, in any order.
    """

    __slots__ = ("_broken", "_cluster", "_slow")

    def __init__(self, cluster: Cluster, faults: Sequence[Fault]) -> None:
        self._cluster = cluster
        self._broken: dict[int, int] = {}
        self._slow: dict[int, list[float]] = {}
        if not isinstance(faults, Sequence):
            raise InputError(f"faults = {faults!r}: must be a sequence of faults")
        for fault in faults:
            if not isinstance(fault, Fault):
                raise InputError(f"fault {fault!r}: must be an InstanceFault, a LinkFault or a StartUpFault")
            if fault.instance >= len(cluster.instances):
                raise InputError(f"fault {fault!r}: there are {len(cluster.instances)} instances")
        for fault in sorted(faults, key=lambda fault: fault.at_s):
            self._at(fault.at_s, partial(self._happen, fault))

    def _at(self, time_s: float, callback: Callable[[float], None]) -> None:
        def when_needed(now_s: float) -> None:
            if self._cluster.requests.unfinished:
                callback(now_s)

        self._cluster.calendar.at(time_s, when_needed)

    def _happen(self, fault: Fault, now_s: float) -> None:
        instance = self._cluster.instances[fault.instance]
        if isinstance(fault, InstanceFault):
            self._break(instance, fault.for_s, now_s)
        elif isinstance(fault, LinkFault):
            self._slow.setdefault(instance.index, []).append(fault.factor)
            self._set_speed(instance.index, now_s)
            self._at(now_s + fault.for_s, lambda time_s: self._mend(instance.index, fault.factor, time_s))
        elif isinstance(fault, StartUpFault):
            self._cluster.lifecycle.fail_starts(instance, fault.attempts)

    def _break(self, instance: Instance, for_s: float | None, now_s: float) -> None:
        """Let an instance die; one that is dead stays so until all that broke it is repaired."""
        if not bury(self._cluster, instance, now_s) and instance.state is not State.DEAD:
            return
        self._broken[instance.index] = self._broken.get(instance.index, 0) + 1
        if for_s is not None:
            self._at(now_s + for_s, partial(self._repair, instance))

    def _repair(self, instance: Instance, now_s: float) -> None:
        self._broken[instance.index] -= 1
        if not self._broken[instance.index]:
            self._cluster.lifecycle.repair(instance, now_s)

    def _mend(self, instance: int, factor: float, now_s: float) -> None:
        self._slow[instance].remove(factor)
        self._set_speed(instance, now_s)

    def _set_speed(self, instance: int, now_s: float) -> None:
        share = 1.0
        for factor in self._slow[instance]:
            share *= factor
        self._cluster.network.slow(instance, share, now_s)
        self._cluster.note("link", instance, None, now_s, f"{share:g}")
