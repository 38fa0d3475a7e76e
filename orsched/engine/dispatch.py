"""Dispatch: which instance a request goes to, and who has to wait until that is decided."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orsched.engine.actions import Routing
from orsched.engine.state import State
from orsched.errors import InputError
from orsched.group import Role

if TYPE_CHECKING:
    from orsched.engine.cluster import Cluster
    from orsched.engine.instance import Instance
    from orsched.policy import Placer, Router

_DECODE, _SERVING = Role.DECODE, State.SERVING
"""By names of their own: to look a member up in its class takes longer than to compare it."""


class Dispatch:
    """Asks the policy where requests go, and asks again those that could not go anywhere.

    Requests that the router keeps are pending, first come first served within their workload class: the first of each
    class is asked about again whenever a request has left an instance, an instance begins to serve, or the policy has
    been asked to control the fleet. So are finished prompts that have not been placed, in the order of their ends.

    Parameters
    ----------
    cluster : Cluster
        The fleet.
    route : Router
        The policy's router.
    place : Placer
        Where the policy places finished prompts.
    """

    __slots__ = (
        "_again",
        "_cluster",
        "_instances",
        "_labels",
        "_pending",
        "_place",
        "_reviewing",
        "_route",
        "_unplaced",
        "_view",
        "num_pending",
    )

    def __init__(self, cluster: Cluster, route: Router, place: Placer) -> None:
        self._cluster = cluster
        self._instances = cluster.instances
        self._labels = cluster.requests.labels
        self._view = cluster.view
        self._route = route
        self._place = place
        self._pending: dict[int, deque[int]] = {}
        self._unplaced: deque[int] = deque()
        self._reviewing = self._again = False
        self.num_pending = 0

    @property
    def unplaced(self) -> Sequence[int]:
        """Finished prompts that have not been placed."""
        return self._unplaced

    def submit(self, request: int, now_s: float) -> Instance | None:
        """Route a request, unless others of its class wait to be routed; returns where it went."""
        if not (self.num_pending and self._pending.get(self._labels[request])):
            decided, target = self._ask(request, now_s)
            if decided:
                return target
            self._cluster.attentive = True
        self._pending.setdefault(self._labels[request], deque()).append(request)
        self.num_pending += 1
        return None

    def place(self, request: int, source: Instance, now_s: float) -> None:
        """Decide where a finished prompt decodes, unless others wait for that."""
        if self._unplaced or not self._ask_to_place(request, source, now_s):
            self._unplaced.append(request)

    def review(self, now_s: float) -> None:
        """Something has changed: ask again about the first of those that wait."""
        if self._reviewing:
            self._again = True
            return
        self._reviewing = self._again = True
        while self._again:
            self._again = False
            self._review_unplaced(now_s)
            for queue in list(self._pending.values()):
                self._review_pending(queue, now_s)
        self._reviewing = False

    def _review_unplaced(self, now_s: float) -> None:
        instances, requests = self._cluster.instances, self._cluster.requests
        while self._unplaced:
            request = self._unplaced[0]
            if not self._ask_to_place(request, instances[requests.instance[request]], now_s):
                return
            self._unplaced.popleft()

    def _review_pending(self, queue: deque[int], now_s: float) -> None:
        while queue:
            decided, target = self._ask(queue[0], now_s)
            if not decided:
                return
            queue.popleft()
            self.num_pending -= 1
            if target is not None:
                target.stream.on_arrival(now_s)

    def forget(self, requests: Iterable[int]) -> None:
        """Take prompts that have lost their KV cache out of those to be placed."""
        lost = set(requests)
        self._unplaced = deque(r for r in self._unplaced if r not in lost)

    def _ask(self, request: int, now_s: float) -> tuple[bool, Instance | None]:
        """Ask the router: whether it has decided, and the instance it has chosen, if any."""
        view = self._view
        view.now_s = now_s
        answer = self._route(view, request)
        if answer.__class__ is Routing:
            answer, actions, rejected = answer
            self._cluster.act(actions, now_s)
            if rejected:
                self._cluster.reject(request, now_s)
                return True, None
        if answer is None:
            return False, None
        instance = self._instance(answer, request, "router")
        if instance.role is _DECODE:
            raise InputError(f"router sent request {request} to instance {answer}, which only decodes")
        view.routed += 1
        instance.arrive(request)
        return True, instance

    def _ask_to_place(self, request: int, source: Instance, now_s: float) -> bool:
        cluster, view = self._cluster, self._view
        view.now_s = now_s
        answer = self._place(view, request)
        if answer is None:
            return False
        if answer == source.index:
            source.dock.stay(request, now_s)
            source.stream.call(now_s)
        else:
            cluster.transfers.hand_off(request, source, self._instance(answer, request, "placer"), now_s)
        return True

    def _instance(self, number: object, request: int, who: str) -> Instance:
        instances = self._instances
        if number.__class__ is not int and (isinstance(number, bool) or not isinstance(number, int | np.integer)):
            raise InputError(f"{who} returned {number!r} for request {request}: give the number of an instance")
        if not 0 <= number < len(instances):
            raise InputError(f"{who} sent request {request} to instance {number} of {len(instances)}")
        instance = instances[number]
        if instance.state is not _SERVING:
            raise InputError(f"{who} sent request {request} to instance {number}, which is {instance.state}")
        return instance
