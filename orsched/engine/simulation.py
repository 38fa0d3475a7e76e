"""The algorithm: play a workload through a fleet under a policy."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from orsched.checks import require_number
from orsched.engine.arrivals import Arrivals
from orsched.engine.calendar import Calendar
from orsched.engine.cluster import Cluster
from orsched.engine.deadline_log import DeadlineLog
from orsched.engine.fault_events import FaultEvents
from orsched.engine.gap_log import GapLog
from orsched.engine.requests import Requests
from orsched.engine.stranded import stranded
from orsched.engine.ticks import Control, Sampler, Ticks
from orsched.errors import InputError, PlanError
from orsched.faults import Fault
from orsched.fitting import require_fit
from orsched.fleet import Fleet
from orsched.group import Role
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
    faults: Sequence[Fault] = (),
    sample_every_s: float | None = None,
    token_gaps: bool = False,
    deadlines: bool = False,
    epoch_limit: int | None = None,
    check: bool = False,
) -> Run:
    """Simulate until every request has completed or been rejected.

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
    faults : sequence of Fault
        What breaks, and when.
    sample_every_s : float, optional
        Record the load of every instance at this distance in time (`Run.log`), seconds.
    token_gaps : bool
        Record the distribution of the gaps between output tokens (`Run.token_gaps`); about a tenth slower.
    deadlines : bool
        Record how late each request's tokens are by the SLO of its class (`Run.lateness_s`): token i = 0, 1, ... is
        due at ``arrival + TTFT + i TPOT``. Every class with requests needs an SLO; about a quarter slower.
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
        When a request can never fit into an instance's KV memory; when requests would move with their KV cache and the
        policy's batcher does not take them; when the router names an instance that is not there or takes no new
        requests.
    PlanError
        When the policy plans what cannot be executed, or idles forever; names time, instance and request. When nobody
        is left to serve a request.
    """
    _require_types(workload, fleet, policy)
    for group in fleet.groups:
        if group.role is not Role.MIXED:
            policy.require_transfers(f"a group of the fleet has role {str(group.role)!r}")
    require_fit(workload, fleet)
    sequence = _sequence(seed)
    requests = Requests(workload, policy, _child(sequence, _PREDICTOR, 0))
    if epoch_limit is not None and epoch_limit < 1:
        raise InputError(f"epoch_limit = {epoch_limit}: must be >= 1, or None for no limit")
    limit = sys.maxsize if epoch_limit is None else epoch_limit
    calendar = Calendar()
    cluster = Cluster(fleet, policy, requests, calendar, limit, np.random.default_rng(sequence))
    gaps = GapLog() if token_gaps else None
    late = DeadlineLog(requests.arrival_s, requests.labels, workload.classes) if deadlines else None
    for instance in cluster.instances:
        instance.stream.view.rng = _child(sequence, _INSTANCE, instance.index)
        instance.record(gaps, late)
    first_s = requests.arrival_s[0]
    Arrivals(cluster, check)
    FaultEvents(cluster, faults)
    if policy.control is not None and policy.control_every_s is not None:
        Ticks(cluster, first_s + policy.control_every_s, policy.control_every_s, Control(cluster, policy.control))
    sampler = None
    if sample_every_s is not None:
        require_number("sample_every_s", sample_every_s, above=True, unit="seconds")
        sampler = Sampler(cluster)
        Ticks(cluster, first_s, sample_every_s, sampler)
    calendar.run()
    if requests.unfinished:
        raise PlanError(f"{requests.unfinished} requests never finished: {stranded(cluster)}")
    samples = None if sampler is None else sampler.collect()
    lateness_s = None if late is None else late.lateness_s(requests.completion_s)
    return Run.collect(workload, fleet, policy, cluster, None if gaps is None else gaps.collect(), samples, lateness_s)


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
