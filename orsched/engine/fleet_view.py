"""What a policy may see of the fleet when it routes, places, or controls it; without the hidden output lengths."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from orsched.engine.index import LeastIndex
from orsched.engine.pool import ENTRY, Pool
from orsched.engine.state import State
from orsched.engine.view import InstanceView

if TYPE_CHECKING:
    import numpy as np

    from orsched.catalogue import Hardware
    from orsched.engine.cluster import Cluster
    from orsched.engine.instance import Instance
    from orsched.group import Role
    from orsched.link import Link
    from orsched.policy import Information
    from orsched.request import SLO

_SERVING = State.SERVING


class FleetView:
    """The fleet at the moment of a decision, read-only. Instances and requests are numbers.

    Whatever depends on time is exact now: an iteration that ends at this very instant comes after the decision.

    Attributes
    ----------
    now_s : float
        Current time, seconds.
    routed : int
        Requests routed before this one.
    rng : numpy.random.Generator
        The policy's own random stream.
    memo : dict
        Scratch memory of the policy; empty at the start of a run.
    size : int
        Number of instances.
    entry : Pool
        Instances among which a router chooses: all that take new requests, unless a router that is made of others has
        asked one of them about a part of the fleet (`entering`).
    """

    __slots__ = (
        "_changed",
        "_cluster",
        "_indices",
        "_instances",
        "_members",
        "_requests",
        "entry",
        "memo",
        "now_s",
        "rng",
        "routed",
        "size",
    )

    def __init__(self, cluster: Cluster, instances: list[Instance], rng: np.random.Generator) -> None:
        self._cluster = cluster
        self._instances = instances
        self._requests = cluster.requests
        self._indices: dict[tuple[str, Pool], LeastIndex] = {}
        self._members: dict[Pool, tuple[int, ...]] = {}
        self._changed: dict[object, set[int]] = {}
        self.memo: dict[object, Any] = {}
        self.now_s = 0.0
        self.routed = 0
        self.rng = rng
        self.size = len(instances)
        self.entry = ENTRY

    # Requests

    @property
    def information(self) -> Information:
        """What the policy may know about output lengths."""
        return self._requests.information

    def input_tokens(self, request: int) -> int:
        """Prompt length of `request`."""
        return self._requests.input_tokens[request]

    def prompt_tokens(self, request: int) -> int:
        """Tokens `request` has to process before its next token if its KV cache is nowhere."""
        return self._requests.prompt_target[request]

    def has_arrived(self, request: int) -> bool:
        """Whether there is a request of that number, and it has arrived before now or right now."""
        times = self._requests.arrival_s
        return request < len(times) and times[request] <= self.now_s

    def arrival_s(self, request: int) -> float:
        """When `request` arrived, seconds."""
        return self._requests.arrival_s[request]

    def label(self, request: int) -> int:
        """The workload's own class of `request` (`Workload.class_id`): its tenant or service class."""
        return self._requests.labels[request]

    def slo(self, request: int) -> SLO | None:
        """Objective of the class of `request`; None when it has none."""
        return self._requests.slos[self._requests.labels[request]]

    @property
    def slos(self) -> Sequence[SLO | None]:
        """Objective of each class of the workload."""
        return self._requests.slos

    @property
    def context_tokens(self) -> int:
        """Longest context (prompt plus output) the deployment is configured for, tokens."""
        return self._requests.context_tokens

    def done(self, request: int) -> bool:
        """Whether `request` has emitted its last token."""
        return not math.isnan(self._requests.completion_s[request])

    def instance_of(self, request: int) -> int:
        """Where a routed `request` is, or was last."""
        return self._requests.instance[request]

    def cached_tokens(self, request: int) -> int:
        """KV tokens of a `request` that decodes or is parked."""
        instance = self._instances[self._requests.instance[request]]
        return instance.cached_before(request, self._time_s(instance))

    def emitted_tokens(self, request: int) -> int:
        """Output tokens that `request` has emitted so far."""
        requests = self._requests
        if requests.has_completed(request):
            return requests.true_output_tokens()[request]
        instance = self._instances[requests.instance[request]]
        if instance.running.get(request) is None:
            return requests.prompt_target[request] - requests.input_tokens[request]
        return instance.cached_before(request, self._time_s(instance)) + 1 - requests.input_tokens[request]

    def emitted_by(self, instance: int) -> dict[int, int]:
        """`emitted_tokens` of every request that decodes on an instance, cheaper than one by one."""
        found = self._instances[instance]
        inputs = self._requests.input_tokens
        emitted: dict[int, int] = {}
        for cohort in found.cohorts:
            done = cohort.clock + found.stream.epoch.iterations_before(self._time_s(found), cohort) + 1
            emitted.update((request, base + done - inputs[request]) for request, base in cohort.base.items())
        return emitted

    def remaining_by(self, instance: int) -> dict[int, float]:
        """`remaining_tokens` of every request that decodes on an instance, cheaper than one by one."""
        return {r: self._requests.remaining_tokens(r, emitted) for r, emitted in self.emitted_by(instance).items()}

    def completed_tokens(self, request: int) -> int | None:
        """Output tokens of a `request` that has completed; None while it has not."""
        if math.isnan(self._requests.completion_s[request]):
            return None
        return self._requests.true_output_tokens()[request]

    def output_tokens(self, request: int) -> int:
        """Output length of `request` as far as the policy knows it, see `InstanceView.output_tokens`."""
        return self._instances[self._requests.instance[request]].stream.view.output_tokens(request)

    def remaining_tokens(self, request: int) -> float:
        """Output tokens `request` has still to emit, as far as the policy knows.

        Raises
        ------
        InformationError
            With less information than `Information.PREDICTED`.
        """
        return self._requests.remaining_tokens(request, self.emitted_tokens(request))

    def predicted_tokens(self, request: int) -> int:
        """Output length of `request` as known on its arrival: the true one, or the predicted one, however wrong.

        Raises
        ------
        InformationError
            With less information than `Information.PREDICTED`.
        """
        return self._requests.announced_tokens(request)

    # Instances

    def instance(self, instance: int) -> InstanceView:
        """What a batcher sees of an instance; its clocks and KV tokens are those of the start of its epoch."""
        return self._instances[instance].stream.view

    def hardware(self, instance: int) -> Hardware:
        """What an instance is."""
        return self._instances[instance].hardware

    def link(self, instance: int) -> Link:
        """Its connection to the others."""
        return self._instances[instance].group.link

    def role(self, instance: int) -> Role:
        """Its role now."""
        return self._instances[instance].role

    def tier(self, instance: int) -> str | None:
        """Its tier now."""
        return self._instances[instance].tier

    def state(self, instance: int) -> State:
        """Whether it serves, starts, drains, is off or dead."""
        return self._instances[instance].state

    def in_system(self, instance: int) -> int:
        """Requests waiting or running on an instance, or on their way to it."""
        return self._instances[instance].in_system

    def num_running(self, instance: int) -> int:
        """Requests admitted on an instance, decoding or prefilling."""
        return len(self._instances[instance].running)

    def num_waiting(self, instance: int) -> int:
        """Requests in an instance's queues."""
        return sum(map(len, self._instances[instance].queues))

    def waiting(self, instance: int) -> Iterator[int]:
        """Requests in an instance's queues."""
        for queue in self._instances[instance].queues:
            yield from queue

    def running(self, instance: int) -> Collection[int]:
        """Requests admitted on an instance, in order of admission."""
        return self._instances[instance].running.keys()

    def prefilling(self, instance: int) -> Mapping[int, int]:
        """Requests admitted whose prompt is partly processed -> tokens done before the iteration in flight."""
        return self._instances[instance].prefilling

    def decoding(self, instance: int) -> list[int]:
        """Requests that decode on an instance and are not being copied away."""
        found = self._instances[instance]
        return [r for r, cohort in found.running.items() if cohort is not None and r not in found.dock.copying]

    def copying(self, instance: int) -> Collection[int]:
        """Requests that decode on an instance while their KV cache is being copied away, or waits for that."""
        return self._instances[instance].dock.copying

    def contexts(self, instance: int, cohort: int = 0) -> Mapping[int, int]:
        """Decoding requests of a cohort, in order of joining it -> KV tokens cached less the cohort's `clock`.

        The numbers do not change while a request decodes.
        """
        return self._instances[instance].cohorts[cohort].base

    def clock(self, instance: int, cohort: int = 0) -> int:
        """Iterations a cohort has advanced since the start of the run."""
        found = self._instances[instance]
        stream, members = found.stream, found.cohorts[cohort]
        if not stream.epoch.in_flight or stream.epoch.steps == 1:
            return members.clock
        return members.clock + stream.epoch.iterations_before(stream.after_ends_s(self.now_s), members)

    def prompt_in_flight(self, instance: int) -> int:
        """Prompt tokens that the iteration in flight processes."""
        return self._instances[instance].stream.epoch.prompt_in_flight

    def coming(self, instance: int) -> list[int]:
        """Requests on their way to an instance with their KV cache, or waiting for that or for a seat there."""
        dock = self._instances[instance].dock
        return [*dock.inbound, *dock.expected, *(request for request, _ in dock.landed)]

    def inbound(self, instance: int) -> Collection[int]:
        """Requests that wait to be sent to an instance, first come first served."""
        return self._instances[instance].dock.inbound

    def parked(self, instance: int) -> Collection[int]:
        """Requests that stand still on an instance with their KV cache, to go elsewhere."""
        return self._instances[instance].dock.parked.keys()

    def backlog_tokens(self, instance: int) -> int:
        """Prompt tokens of an instance's requests that it has not processed before the iteration in flight."""
        return self._instances[instance].backlog_tokens

    def resident_tokens(self, instance: int) -> int:
        """KV tokens cached on an instance at the start of its epoch, for the requests that run there."""
        return self._instances[instance].resident_tokens

    def coming_tokens(self, instance: int) -> int:
        """KV tokens, now, of the requests that are on their way to an instance or have arrived and do not run yet."""
        dock, under_way = self._instances[instance].dock, self._cluster.transfers.under_way
        coming = [under_way[request] for request in (*dock.inbound, *dock.expected)]
        tokens = sum(p.tokens for _, p in dock.landed)
        for transfer in coming:
            request, source = transfer.request, transfer.source
            parked = source.dock.parked.get(request)
            tokens += source.cached_before(request, self._time_s(source)) if parked is None else parked.tokens
        return tokens

    def kv_tokens(self, instance: int) -> int:
        """KV tokens cached on an instance for the requests that run there."""
        found = self._instances[instance]
        return found.resident_tokens + found.stream.epoch.tokens_before(self._time_s(found))

    def cached_prefix_tokens(self, instance: int, request: int) -> int:
        """Tokens of a `request` that does not run there which an instance would not have to process now."""
        found = self._instances[instance]
        return found.retained_tokens_at(request, self._time_s(found))

    def prefix_holders(self, request: int, pool: Pool | None = None) -> Mapping[int, int]:
        """Serving instances of a pool that have cached a prefix of the prompt of `request` -> how many tokens of it.

        In the order of their numbers; only those that have its first block are looked at.
        """
        path = self._requests.prefix_path(request)
        holders = self._requests.prefix_holders.get(path[0], ()) if path else ()
        found = {i: self.cached_prefix_tokens(i, request) for i in sorted(holders) if self.belongs(i, pool)}
        return {instance: tokens for instance, tokens in found.items() if tokens}

    def free_blocks(self, instance: int) -> int:
        """KV blocks nobody has been promised; during an epoch its growth counts as promised to the end."""
        return self._instances[instance].ledger.free_blocks

    def unused_blocks(self, instance: int) -> int:
        """KV blocks that nobody holds; the iteration in flight holds what it grows by, later ones do not."""
        found = self._instances[instance]
        return found.ledger.free_blocks + found.stream.epoch.blocks_ahead(self._time_s(found))

    def capacity_blocks(self, instance: int) -> int:
        """KV blocks of an instance."""
        return self._instances[instance].ledger.capacity_blocks

    def blocks_for(self, instance: int, tokens: int) -> int:
        """Blocks that `tokens` KV tokens of one request occupy there."""
        return self._instances[instance].ledger.blocks_for(tokens)

    def iteration_end_s(self, instance: int) -> float:
        """When the iteration in flight ends; now if there is none."""
        stream = self._instances[instance].stream
        epoch = stream.epoch
        if not epoch.in_flight:
            return self.now_s
        return epoch.end_s if epoch.steps == 1 else epoch.iteration_end_s(stream.after_ends_s(self.now_s))

    def evictions(self, instance: int) -> int:
        """Preemptions on an instance so far."""
        return self._instances[instance].evictions

    # The fleet

    @property
    def num_pending(self) -> int:
        """Requests that the router keeps."""
        return self._cluster.dispatch.num_pending

    @contextmanager
    def entering(self, pool: Pool) -> Iterator[None]:
        """Let routers choose from `pool` for the length of a ``with`` block."""
        before, self.entry = self.entry, pool
        try:
            yield
        finally:
            self.entry = before

    def members(self, pool: Pool | None = None) -> tuple[int, ...]:
        """Serving instances of a pool, in order; None: those a router chooses from."""
        if pool is None:
            pool = self.entry
        found = self._members.get(pool)
        if found is None:
            found = self._members[pool] = tuple(i for i in range(self.size) if self._belongs(i, pool))
        return found

    def in_state(self, state: State) -> list[int]:
        """Instances in a state, in order; O(fleet)."""
        return [instance.index for instance in self._instances if instance.state is state]

    def least(
        self,
        name: str,
        value: Callable[[int], float],
        pool: Pool | None = None,
        exact: Callable[[int], float] | None = None,
    ) -> int | None:
        """Serving instance of a pool with the least value, ties to the lowest number; None when the pool is empty.

        An index is kept under `name` and `pool`, so that it costs O(log fleet) for every instance that has changed.

        Parameters
        ----------
        name : str
            Names the value, among all that are asked for in a run.
        value : callable
            ``value(instance)``: changes only when the instance does (an arrival, an epoch, a departure).
        pool : Pool, optional
            Whom to choose from; None: those a router chooses from.
        exact : callable, optional
            The value now, never below `value` since the instance's last change. Only those that can be least are asked.
        """
        if pool is None:
            pool = self.entry
        key = (name, pool)
        index = self._indices.get(key)
        if index is None:
            inside = [self._belongs(instance, pool) for instance in range(self.size)]
            index = self._indices[key] = LeastIndex(inside, value, self.changed(key))
        return index.least(exact)

    def touch(self, instance: int) -> None:
        """Count an instance as changed: the policy has a new value of its own for it."""
        self._instances[instance].changed()

    def changed(self, consumer: object) -> set[int]:
        """Instances that have changed since this consumer emptied the set, which is its own; all of them at first."""
        found = self._changed.get(consumer)
        if found is None:
            found = self._changed[consumer] = set(range(self.size))
            for instance in self._instances:
                instance.watchers.append(found)
        return found

    def regroup(self, instance: int) -> None:
        """Find out anew where an instance belongs; for the engine, when its state, role or tier has changed."""
        self._members.clear()
        for (_, pool), index in self._indices.items():
            index.admit(instance, self._belongs(instance, pool))

    def belongs(self, instance: int, pool: Pool | None = None) -> bool:
        """Whether an instance serves and is of a pool; None: those a router chooses from."""
        return self._belongs(instance, self.entry if pool is None else pool)

    def _belongs(self, instance: int, pool: Pool) -> bool:
        found = self._instances[instance]
        if found.state is not _SERVING or found.role not in pool.roles:
            return False
        return pool.tier is None or found.tier == pool.tier

    def _time_s(self, instance: Instance) -> float:
        """When the decision falls among the iterations of an instance."""
        return instance.stream.after_ends_s(self.now_s)
