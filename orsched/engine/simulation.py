"""The algorithm: play a workload through a fleet under a policy."""

from __future__ import annotations

import math
import sys

import numpy as np

from orsched.catalogue import Hardware
from orsched.engine.calendar import Calendar
from orsched.engine.gap_log import GapLog
from orsched.engine.instance import Instance
from orsched.engine.requests import Requests
from orsched.engine.view import FleetView
from orsched.errors import InputError
from orsched.fitting import require_fit
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.run import Run
from orsched.workloads import Workload

_PREDICTOR, _INSTANCE = 0, 1
"""Streams of random numbers beside the router's: one for the predictor, one for each instance's policy."""


def simulate(
    workload: Workload,
    fleet: Fleet,
    policy: Policy,
    seed: int | np.random.SeedSequence = 0,
    *,
    token_gaps: bool = False,
    epoch_limit: int | None = None,
    check: bool = False,
) -> Run:
    """Simulate until every request has completed.

    Parameters
    ----------
    workload : Workload
        The requests.
    fleet : Fleet
        The instances.
    policy : Policy
        What decides; sees views only.
    seed : int or SeedSequence
        Seeds the policy's own random streams (router, predictor, batcher); the workload is given.
    token_gaps : bool
        Record the distribution of the gaps between output tokens (`Run.token_gaps`); about a tenth slower.
    epoch_limit : int, optional
        Most iterations per decision epoch. 1 simulates token by token and gives the same result, slower.
    check : bool
        Check the KV ledger against the requests after every arrival, for tests.

    Returns
    -------
    Run
        One row per request, and the instances' integrals.

    Raises
    ------
    InputError
        When a request can never fit into an instance's KV memory.
    PlanError
        When the policy plans what cannot be executed, or idles forever; names time, instance and request.
    """
    _require_types(workload, fleet, policy)
    require_fit(workload, fleet)
    sequence = _sequence(seed)
    requests = Requests(workload, policy, _child(sequence, _PREDICTOR, 0))
    if epoch_limit is not None and epoch_limit < 1:
        raise InputError(f"epoch_limit = {epoch_limit}: must be >= 1, or None for no limit")
    limit = sys.maxsize if epoch_limit is None else epoch_limit
    alone = fleet.size == 1
    calendar = Calendar()
    hardware, skews = fleet.hardware, _skews(fleet.hardware, len(workload))
    instances = [Instance(i, hardware, policy, requests, calendar, limit, alone, skews) for i in range(fleet.size)]
    for instance in instances:
        instance.stream.view.rng = _child(sequence, _INSTANCE, instance.index)
        if token_gaps:
            instance.gaps = GapLog()
    view = FleetView(instances, np.random.default_rng(sequence))
    _Arrivals(requests, instances, policy, view, calendar, check)
    calendar.run()
    gaps = GapLog.collect(i.gaps for i in instances if i.gaps is not None) if token_gaps else None
    return Run.collect(workload, fleet, policy, requests, [i.stream for i in instances], gaps)


class _Arrivals:
    """Routes requests as they arrive and wakes the instances they land on."""

    def __init__(
        self,
        requests: Requests,
        instances: list[Instance],
        policy: Policy,
        view: FleetView,
        calendar: Calendar,
        check: bool,
    ) -> None:
        self._times = requests.arrival_s
        self._instances = instances
        self._route = policy.route
        self._view = view
        self._check = check
        self._following = 0
        self._next = calendar.urgent_appointment(self._arrive)
        self._calendar = calendar
        self._book(self._times[0])

    def _arrive(self, now_s: float) -> None:
        """Admit all requests that arrive at this instant and book the next arrival."""
        times, following, last = self._times, self._following, len(self._times)
        self._view.now_s = now_s
        self._calendar.last_arrival_s = now_s
        touched = {self._admit(following): None}
        following += 1
        while following < last and times[following] == now_s:
            touched[self._admit(following)] = None
            following += 1
        self._following = following
        if following < last:
            self._book(times[following])
        else:
            self._calendar.next_arrival_s = math.inf
            for instance in self._instances:
                instance.closed = True
        for instance in touched:
            instance.stream.on_arrival(now_s)
        if following == last:
            for instance in self._instances:
                if instance not in touched:
                    instance.stream.on_close(now_s)
        if self._check:
            for instance in self._instances:
                if not instance.stream.busy:
                    instance.check_integrity()

    def _book(self, time_s: float) -> None:
        self._calendar.next_arrival_s = time_s
        self._next.book(time_s)

    def _admit(self, request: int) -> Instance:
        view = self._view
        target = self._route(view, request)
        if not isinstance(target, int | np.integer):
            raise InputError(f"router returned {target!r} for request {request}: give the number of an instance")
        if not 0 <= target < len(self._instances):
            raise InputError(f"router sent request {request} to instance {target} of {view.size}")
        view.routed += 1
        instance = self._instances[target]
        instance.arrive(request)
        return instance


def _skews(hardware: Hardware, requests: int) -> tuple[float, ...] | None:
    """Effect of unequal contexts by the number of decoding requests; None when there is none."""
    skews = tuple(hardware.service.kv_skew(seqs) for seqs in range(min(hardware.max_num_seqs, requests) + 1))
    return skews if any(skews) else None


def _require_types(workload: object, fleet: object, policy: object) -> None:
    """Refuse the three mix-ups that would otherwise fail deep inside, and say what was meant."""
    if not isinstance(workload, Workload):
        raise InputError(
            f"workload is a {type(workload).__name__}: give a Workload, for example workload('azure-conv')"
        )
    if not isinstance(fleet, Fleet):
        raise InputError(f"fleet is a {type(fleet).__name__}: give a Fleet, for example Fleet.identical(hardware(...))")
    if not isinstance(policy, Policy):
        raise InputError(
            f"policy is a {type(policy).__name__}: give a Policy, for example policies.build('sarathi', work, fleet)"
        )


def _sequence(seed: int | np.random.SeedSequence) -> np.random.SeedSequence:
    if isinstance(seed, np.random.SeedSequence):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed = {seed!r}: must be a whole number >= 0")
    return np.random.SeedSequence(int(seed))


def _child(sequence: np.random.SeedSequence, stream: int, index: int) -> np.random.Generator:
    """A named stream below `sequence`, which stays as it is."""
    key = (*sequence.spawn_key, stream, index)
    return np.random.default_rng(np.random.SeedSequence(sequence.entropy, spawn_key=key))
