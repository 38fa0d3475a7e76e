"""The fleet while a run goes on: what its parts tell each other, and the orders that a policy gives it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from orsched.checks import is_whole
from orsched.engine.actions import Action, Assign, Migrate, Start, Stop
from orsched.engine.dispatch import Dispatch
from orsched.engine.fleet_view import FleetView
from orsched.engine.instance import Instance
from orsched.engine.lifecycle import Lifecycle
from orsched.engine.network import Network
from orsched.engine.state import State
from orsched.engine.transfers import Transfers, require_decoding
from orsched.errors import InputError
from orsched.fleet_log import NO_TIER, FleetEvent, FleetLog, FleetSamples, Kind
from orsched.group import MOST_INSTANCES, Role

if TYPE_CHECKING:
    from orsched.engine.calendar import Calendar
    from orsched.engine.requests import Requests
    from orsched.fleet import Fleet
    from orsched.group import Group
    from orsched.policy import Policy


class Cluster:
    """Instances, what moves between them, and who decides about it.

    Parameters
    ----------
    fleet : Fleet
        What it is made of.
    policy : Policy
        What decides.
    requests : Requests
        The run's requests.
    calendar : Calendar
        The run's calendar.
    epoch_limit : int
        Most iterations per epoch.
    rng : numpy.random.Generator
        The policy's own random stream for decisions about the fleet.

    Attributes
    ----------
    alone : bool
        Whether one instance is all of it.
    attentive : bool
        Whether anybody cares when a request leaves an instance; once true it remains so.
    ended : int
        Number of the instance whose iteration has just ended, while that has its consequences; -1 otherwise. Of
        iterations that end together on several instances those of lower numbers end first.
    stirred : bool
        Whether an iteration that has just ended has something to tell the fleet.
    ticking : int
        Appointments in the calendar that are ticks.
    """

    __slots__ = (
        "_events",
        "_initial",
        "_policy",
        "alone",
        "attentive",
        "calendar",
        "dispatch",
        "ended",
        "instances",
        "lifecycle",
        "network",
        "requests",
        "stirred",
        "ticking",
        "transfers",
        "view",
    )

    def __init__(
        self,
        fleet: Fleet,
        policy: Policy,
        requests: Requests,
        calendar: Calendar,
        epoch_limit: int,
        rng: np.random.Generator,
    ) -> None:
        groups = list(fleet.instances())
        self._policy = policy
        self.calendar = calendar
        self.requests = requests
        self.alone = fleet.size == 1
        self.attentive = False
        self.ended = -1
        self.stirred = False
        self.ticking = 0
        self._events: list[FleetEvent] = []
        self.network = Network([group.link for group in groups], calendar)
        self.transfers = Transfers(self.network, fleet.migration, requests, policy.accept, self.note, self._freed)
        skews = {group: _skews(group, len(requests)) for group in fleet.groups}
        self.instances = [
            Instance(i, group, policy, requests, calendar, self, epoch_limit, skews[group])
            for i, group in enumerate(groups)
        ]
        self.view = FleetView(self, self.instances, rng)
        self.dispatch = Dispatch(self, policy.route, policy.place)
        self.lifecycle = Lifecycle(self)
        first = 0
        for group in fleet.groups:
            for instance in self.instances[first + group.size - group.off : first + group.size]:
                instance.state = State.OFF
            first += group.size
        self._initial = [(i.tier, i.state, i.role) for i in self.instances]

    def after_epoch(self, instance: Instance, now_s: float) -> None:
        """An iteration has ended that finished prompts or from which requests have left."""
        self.stirred = False
        self.ended = instance.index
        finished = instance.dock.finished
        if finished:
            instance.dock.finished = []
            self.attentive = True
            for request in finished:
                self.dispatch.place(request, instance, now_s)
        self.lifecycle.rest(instance, now_s)
        self.dispatch.review(now_s)
        self.ended = -1

    def _freed(self, source: Instance, now_s: float) -> None:
        """A transfer has ended, and its source has room again."""
        self.lifecycle.rest(source, now_s)
        self.dispatch.review(now_s)

    def act(self, actions: Iterable[Action], now_s: float) -> None:
        """Carry out what a policy orders.

        Raises
        ------
        InputError
            For what is no action, or an instance that is not there.
        PlanError
            For a migration of a request that does not decode.
        """
        for action in actions:
            if isinstance(action, Migrate):
                self._migrate(action, now_s)
            elif isinstance(action, Start):
                self.lifecycle.start(self._instance(action.instance, action), now_s)
            elif isinstance(action, Stop):
                self.lifecycle.stop(self._instance(action.instance, action), now_s)
            elif isinstance(action, Assign):
                self._assign(action, now_s)
            else:
                raise InputError(f"policy ordered {action!r}: must be one of Migrate, Start, Stop, Assign")

    def _migrate(self, order: Migrate, now_s: float) -> None:
        target = self._instance(order.target, order)
        if not is_whole(order.request, 0, len(self.requests) - 1):
            raise InputError(f"policy ordered {order!r}: there are {len(self.requests)} requests, numbered from 0")
        source = self.instances[self.requests.instance[order.request]]
        require_decoding(source, order.request, now_s)
        if target.state is not State.SERVING or target is source:
            raise InputError(f"policy ordered {order!r}: the target must be another instance that serves")
        self._policy.require_transfers(f"policy ordered {order!r}")
        self.attentive = True
        self.transfers.migrate(order.request, source, target, now_s)

    def _assign(self, order: Assign, now_s: float) -> None:
        instance = self._instance(order.instance, order)
        if not isinstance(order.tier, str | None) or not isinstance(order.role, Role | None):
            raise InputError(f"policy ordered {order!r}: a tier is a text or None, a role a Role or None")
        if order.role is not None and order.role is not Role.MIXED:
            self._policy.require_transfers(f"policy ordered {order!r}")
        if instance.tier != order.tier:
            instance.tier = order.tier
            self.note("tier", instance.index, None, now_s, NO_TIER if order.tier is None else order.tier)
        if order.role is not None and instance.role is not order.role:
            instance.role = order.role
            self.note("role", instance.index, None, now_s, str(order.role))
        self.regroup(instance)

    def _instance(self, number: object, order: Action) -> Instance:
        if not is_whole(number, 0, MOST_INSTANCES):
            raise InputError(f"policy ordered {order!r}: an instance is a whole number >= 0")
        assert isinstance(number, int)
        if number >= len(self.instances):
            raise InputError(f"policy ordered {order!r}: there are {len(self.instances)} instances")
        return self.instances[number]

    def return_to(self, request: int, source: Instance, now_s: float) -> None:
        """Decide anew about a parked request that could not go where it was sent."""
        if source.role is Role.PREFILL:
            self.dispatch.place(request, source, now_s)
        else:
            source.dock.stay(request, now_s)
            source.stream.call(now_s)

    def reject(self, request: int, now_s: float) -> None:
        """Turn a request away for good; what an instance that has died had served of it counts for nothing."""
        requests = self.requests
        requests.rejected[request] = 1
        requests.first_scheduled_s[request] = requests.first_token_s[request] = math.nan
        requests.unfinished -= 1
        self.note("rejected", None, request, now_s)

    def regroup(self, instance: Instance) -> None:
        """An instance has changed its state, role or tier."""
        self.view.regroup(instance.index)
        instance.changed()

    def note(self, kind: Kind, instance: int | None, request: int | None, now_s: float, detail: str = "") -> None:
        """Keep account of what happened."""
        self._events.append(FleetEvent(now_s, kind, instance, request, detail))

    def log(self, samples: FleetSamples | None) -> FleetLog:
        """All that happened."""
        tiers, states, roles = zip(*self._initial, strict=True)
        events = sorted(self._events, key=lambda event: event.time_s)
        return FleetLog(tuple(events), samples, tiers, states, roles)


def _skews(group: Group, requests: int) -> tuple[float, ...] | None:
    """Effect of unequal contexts by the number of decoding requests; None when there is none."""
    hardware = group.hardware
    skews = tuple(hardware.service.kv_skew(seqs) for seqs in range(min(hardware.max_num_seqs, requests) + 1))
    return skews if any(skews) else None
