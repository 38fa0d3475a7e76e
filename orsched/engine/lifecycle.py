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

    __slots__ = ("_cluster", "_failing", "_on_s", "_since_s", "_starts")

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        size = len(cluster.instances)
        self._since_s = [0.0] * size
        self._on_s = [0.0] * size
        self._failing = [0] * size
        self._starts = [0] * size

    def start(self, instance: Instance, now_s: float) -> None:
        """Switch an instance on; one that drains serves on, any other that is not off stays as it is."""
        if instance.state is State.DRAINING:
            self._become(instance, State.SERVING, "ready", now_s)
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
        if instance.state is State.DRAINING and not instance.in_system and not instance.dock.holds_memory:
            self._become(instance, State.OFF, "off", now_s)

    def die(self, instance: Instance, now_s: float) -> bool:
        """Let an instance die, if it is on; whether it was."""
        if instance.state not in PAID:
            return False
        self._become(instance, State.DEAD, "died", now_s)
        return True

    def repair(self, instance: Instance, now_s: float) -> None:
        """Let a dead instance serve again."""
        if instance.state is State.DEAD:
            self._become(instance, State.SERVING, "repaired", now_s)
            self._cluster.dispatch.review(now_s)

    def fail_starts(self, instance: Instance, attempts: int) -> None:
        """Let the next starts of an instance fail."""
        self._failing[instance.index] += attempts

    def on_s(self, first_s: float, last_s: float) -> list[float]:
        """Seconds for which each instance was switched on between two times, the first before all changes."""
        found = []
        for instance in self._cluster.instances:
            total, since = self._on_s[instance.index], self._since_s[instance.index]
            if instance.state in PAID:
                total += max(last_s - max(since, first_s), 0.0)
            found.append(total)
        return found

    def begin(self, first_s: float) -> None:
        """Count from `first_s` on."""
        self._since_s = [first_s] * len(self._since_s)

    def _become(self, instance: Instance, state: State, kind: Kind, now_s: float) -> None:
        was_on, is_on = instance.state in PAID, state in PAID
        if was_on and not is_on:
            self._on_s[instance.index] += max(now_s - self._since_s[instance.index], 0.0)
        elif is_on and not was_on:
            self._since_s[instance.index] = now_s
        instance.state = state
        self._cluster.note(kind, instance.index, None, now_s)
        self._cluster.regroup(instance)
