"""Life of the instances: they start, serve, drain, die and are repaired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orsched.engine.state import State
from orsched.fleet_log import PAID

if TYPE_CHECKING:
    from orsched.engine.cluster import Cluster
    from orsched.engine.instance import Instance
    from orsched.fleet_log import Kind


class Lifecycle:
    """Changes the states of instances, and counts the time for which each is switched on.

    Parameters
    ----------
    cluster : Cluster
        The fleet.
    """

    __slots__ = ("_before_death", "_cluster", "_failing", "_on", "_since_s", "_starts")

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        size = len(cluster.instances)
        self._since_s = [0.0] * size
        self._on: list[list[tuple[float, float]]] = [[] for _ in range(size)]
        self._before_death = [State.SERVING] * size
        self._failing = [0] * size
        self._starts = [0] * size

    def start(self, instance: Instance, now_s: float) -> None:
        """Switch an instance on; one that drains serves on, any other that is not off stays as it is."""
        if instance.state is State.DRAINING:
            self._become(instance, State.SERVING, "ready", now_s)
            self._cluster.dispatch.review(now_s)
        elif instance.state is State.OFF:
            self._become(instance, State.STARTING, "start", now_s)
            self._starts[instance.index] += 1
            attempt = self._starts[instance.index]
            ready_s = now_s + instance.group.start_up_s
            self._cluster.calendar.at(ready_s, lambda time_s: self._started(instance, attempt, time_s))

    def _started(self, instance: Instance, attempt: int, now_s: float) -> None:
        if instance.state is not State.STARTING or self._starts[instance.index] != attempt:
            return
        if self._failing[instance.index]:
            self._failing[instance.index] -= 1
            self._become(instance, State.OFF, "start-failed", now_s)
        else:
            self._become(instance, State.SERVING, "ready", now_s)
        self._cluster.dispatch.review(now_s)

    def stop(self, instance: Instance, now_s: float) -> None:
        """Give an instance nothing more, and switch it off once it is empty."""
        if instance.state is State.SERVING:
            self._become(instance, State.DRAINING, "stop", now_s)
            self._cluster.attentive = True
            self.rest(instance, now_s)
        elif instance.state is State.STARTING:
            self._become(instance, State.OFF, "off", now_s)

    def rest(self, instance: Instance, now_s: float) -> None:
        """Switch an instance off that drains and is empty."""
        if not instance.in_system and instance.state is State.DRAINING and instance.dock.empty:
            self._become(instance, State.OFF, "off", now_s)

    def die(self, instance: Instance, now_s: float) -> bool:
        """Let an instance die, if it is on; whether it was."""
        if instance.state not in PAID:
            return False
        self._before_death[instance.index] = instance.state
        self._become(instance, State.DEAD, "died", now_s)
        return True

    def repair(self, instance: Instance, now_s: float) -> None:
        """Let a dead instance serve again; what was draining is off then, what was starting starts anew."""
        if instance.state is not State.DEAD:
            return
        self._become(instance, State.SERVING, "repaired", now_s)
        before = self._before_death[instance.index]
        if before is not State.SERVING:
            self._become(instance, State.OFF, "off", now_s)
        if before is State.STARTING:
            self.start(instance, now_s)
        self._cluster.dispatch.review(now_s)

    def fail_starts(self, instance: Instance, attempts: int) -> None:
        """Let the next starts of an instance fail."""
        self._failing[instance.index] += attempts

    def on_s(self, first_s: float, last_s: float) -> list[float]:
        """Seconds for which each instance was switched on between two times."""
        found = []
        for instance in self._cluster.instances:
            spans = self._on[instance.index]
            if instance.state in PAID:
                spans = [*spans, (self._since_s[instance.index], last_s)]
            found.append(sum(max(min(end, last_s) - max(start, first_s), 0.0) for start, end in spans))
        return found

    def _become(self, instance: Instance, state: State, kind: Kind, now_s: float) -> None:
        was_on, is_on = instance.state in PAID, state in PAID
        if was_on and not is_on:
            self._on[instance.index].append((self._since_s[instance.index], now_s))
        elif is_on and not was_on:
            self._since_s[instance.index] = now_s
        instance.state = state
        self._cluster.note(kind, instance.index, None, now_s)
        self._cluster.regroup(instance)
