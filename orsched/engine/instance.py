"""One instance: its queues, its KV ledger, its cohorts, and the transitions a plan may cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orsched.engine.calendar import Calendar
from orsched.engine.cohort import Cohort
from orsched.engine.deadline_log import DeadlineLog
from orsched.engine.dock import Dock
from orsched.engine.gap_log import GapLog
from orsched.engine.kv_store import KVStore
from orsched.engine.plan import Chunk, Move
from orsched.engine.queues import FifoQueue, KeyedQueue, WaitingQueue
from orsched.engine.requests import Requests
from orsched.engine.state import State
from orsched.engine.stream import Stream
from orsched.errors import PlanError
from orsched.group import Group, Role
from orsched.policy import Policy

if TYPE_CHECKING:
    from orsched.engine.cluster import Cluster

_PREFILL = Role.PREFILL


class Instance:
    """State of one instance. Only its stream and the calendar change it; policies see it through a view.

    Parameters
    ----------
    index : int
        Its place in the fleet.
    group : Group
        What it is, and the part it plays at first.
    policy : Policy
        What runs on it.
    requests : Requests
        The run's requests.
    calendar : Calendar
        The run's calendar.
    cluster : Cluster
        The fleet it belongs to, which is told when requests leave or want to.
    epoch_limit : int
        Most iterations per epoch (1 forces token-by-token simulation).
    skews : tuple of float, optional
        `ServiceModel.kv_skew` by the number of decoding requests; None when it is zero for all.
    """

    __slots__ = (
        "_classified",
        "_first_token_s",
        "_inputs",
        "_outputs",
        "_targets",
        "arrived",
        "backlog_tokens",
        "closed",
        "cluster",
        "cohorts",
        "deadlines",
        "dock",
        "evictions",
        "gaps",
        "group",
        "hardware",
        "in_system",
        "index",
        "ledger",
        "logs",
        "prefilling",
        "queues",
        "requests",
        "resident_tokens",
        "role",
        "running",
        "state",
        "store",
        "stream",
        "tier",
        "watchers",
    )

    def __init__(
        self,
        index: int,
        group: Group,
        policy: Policy,
        requests: Requests,
        calendar: Calendar,
        cluster: Cluster,
        epoch_limit: int,
        skews: tuple[float, ...] | None = None,
    ) -> None:
        self.index = index
        self.group = group
        self.role = group.role
        self.tier = group.tier
        self.state = State.SERVING
        self.hardware = hardware = group.hardware
        self.requests = requests
        self.cluster = cluster
        self.store = KVStore(hardware, requests, index)
        self.ledger = self.store.ledger
        cohorts = policy.num_cohorts or policy.num_classes
        self.cohorts = [Cohort(self.ledger.block_tokens, skews is not None) for _ in range(cohorts)]
        self.queues: list[WaitingQueue] = [
            FifoQueue() if policy.order is None else KeyedQueue(requests.key_of) for _ in range(policy.num_classes)
        ]
        self.running: dict[int, Cohort | None] = {}
        self.prefilling: dict[int, int] = {}
        self.arrived: list[int] = []
        self.in_system = 0
        """Requests assigned to it: waiting, running, or on their way to it."""
        self.backlog_tokens = 0
        """Prompt tokens of its requests that are still to be processed."""
        self.resident_tokens = 0
        """KV tokens cached at the start of the epoch in flight, of the requests that run."""
        self.evictions = 0
        """Preemptions so far."""
        self.dock = Dock(self)
        self.closed = False
        self.gaps: GapLog | None = None
        self.deadlines: DeadlineLog | None = None
        self.logs: list[GapLog | DeadlineLog] = []
        self.watchers: list[set[int]] = []
        """Sets in which it puts its number whenever it has changed."""
        self._classified = policy.num_classes > 1
        self._outputs = requests.true_output_tokens()
        self._targets = requests.prompt_target
        self._inputs = requests.input_tokens
        self._first_token_s = requests.first_token_s
        self.stream = Stream(self, policy, calendar, cluster, epoch_limit, skews)

    def record(self, gaps: GapLog | None, deadlines: DeadlineLog | None) -> None:
        """Tell these logs, if there are, of every token from now on."""
        self.gaps, self.deadlines = gaps, deadlines
        self.logs = [log for log in (gaps, deadlines) if log is not None]

    def arrive(self, request: int) -> None:
        """Queue a newly routed request."""
        requests = self.requests
        requests.instance[request] = self.index
        self.arrived.append(request)
        (self._queue_of(request) if self._classified else self.queues[0]).push(request)
        self.in_system += 1
        self.backlog_tokens += self._targets[request]
        if self.watchers:
            self.changed()

    def take_chunk(self, chunk: Chunk, now_s: float) -> int:
        """Admit or continue a request with a prompt chunk; returns the tokens cached before it.

        Raises
        ------
        PlanError
            When the request is neither waiting nor prefilling, the chunk is not part of its prompt, or memory is short.
        """
        request, tokens, reserve, cohort, reused = chunk
        if not 0 <= cohort < len(self.cohorts):
            raise self._refuse(request, now_s, f"was sent to cohort {cohort}, there are {len(self.cohorts)}")
        done = self.prefilling.get(request)
        if reused and (self.store.retained is None or done is not None):
            raise self._refuse(request, now_s, f"cannot reuse {reused} tokens: nothing of it is retained")
        if done is None:
            self._admit(request, now_s)
            self.prefilling[request] = done = reused or 0
            self.resident_tokens += done
            self.backlog_tokens -= done
        left = self._targets[request] - done
        if not 0 < tokens <= left:
            raise self._refuse(request, now_s, f"was given a chunk of {tokens} tokens, {left} are left")
        held = done + tokens
        try:
            self.store.reserve(request, held if held > reserve else reserve)
        except PlanError as error:
            raise self._refuse(request, now_s, f"does not fit: {error}") from None
        return done

    def retained_tokens(self, request: int, taken: int = 0) -> int:
        """Tokens of a waiting request that need not be processed again; one is always left, to emit the next."""
        return self.store.retained_within(request, self._targets[request] - 1, taken)

    def retained_tokens_at(self, request: int, now_s: float) -> int:
        """The same after the iterations that end before `now_s`."""
        if self.store.retained is None:
            return 0
        return self.retained_tokens(request, self.stream.epoch.blocks_due_before(now_s))

    def reclaim(self, chunks: tuple[Chunk, ...], now_s: float) -> tuple[tuple[Chunk, ...], int]:
        """Take the retained blocks that the chunks can use out of the free ones.

        Returns
        -------
        chunks : tuple of Chunk
            The same, without the tokens that need not be processed.
        blocks : int
            How many blocks were taken.

        Raises
        ------
        PlanError
            When a chunk reuses what is not retained, or part of a block.
        """
        store = self.store
        assert store.retained is not None
        rest, claimed = [], 0
        for chunk in chunks:
            request, tokens, reserve, cohort, reused = chunk
            if not 0 <= request < len(self._targets):
                raise self._refuse(request, now_s, "is not waiting here")
            most = self._targets[request] - 1
            if reused is None:
                skipped = store.retained_within(request, min(most, tokens - 1))
                chunk = Chunk(request, tokens - skipped, reserve, cohort, skipped)
            elif reused and store.retained_within(request, min(most, reused)) != reused:
                kept = store.retained_within(request, most)
                raise self._refuse(request, now_s, f"cannot reuse {reused} tokens: {kept} in whole blocks are retained")
            claimed += store.retained.claim(request, chunk.reused_tokens or 0)
            rest.append(chunk)
        return tuple(rest), claimed

    def finish_chunk(self, chunk: Chunk, end_s: float) -> None:
        """Book a processed chunk; the one that completes the prompt emits a token."""
        request, tokens, _, number, _ = chunk
        self.resident_tokens += tokens
        self.backlog_tokens -= tokens
        done = self.prefilling[request] + tokens
        prefixes = self.store.prefixes
        if prefixes is not None:
            prefixes.publish(request, done)
        if done < self._targets[request]:
            self.prefilling[request] = done
            return
        del self.prefilling[request]
        emitted = done - self._inputs[request] + 1
        if emitted == 1:
            self._first_token_s[request] = end_s
        elif self.gaps is not None:
            self.gaps.recomputed(request, end_s)
        if self.deadlines is not None:
            self.deadlines.token(request, emitted - 1, end_s)
        remaining = self._outputs[request] - emitted
        if remaining == 0:
            self._depart(request, done, end_s)
        elif self.role is _PREFILL:
            del self.running[request]
            self._targets[request] = done + 1
            self.dock.park(request, done, number, end_s)
            self.dock.finished.append(request)
            self.cluster.stirred = True
            if self.gaps is not None:
                self.gaps.parked(request, end_s)
        else:
            cohort = self.decode(request, done, number, emitted)
            if self.gaps is not None:
                self.gaps.joined(cohort, request, end_s)

    def decode(self, request: int, tokens: int, number: int, emitted: int) -> Cohort:
        """Let a request with `tokens` tokens cached, which has emitted `emitted`, decode in cohort `number`."""
        self.running[request] = cohort = self.cohorts[number]
        cohort.join(request, tokens, self._outputs[request] - emitted, self.store.booked_blocks(request))
        if self.deadlines is not None:
            self.deadlines.joined(cohort, request, emitted)
        return cohort

    def complete(self, cohort: Cohort, end_s: float) -> None:
        """Let every member of `cohort` that has emitted its last token leave."""
        for request, tokens in cohort.pop_finished():
            if self.deadlines is not None:
                self.deadlines.left(request)
            self._depart(request, tokens, end_s)

    def preempt(self, request: int, now_s: float) -> None:
        """Drop a resident request's KV cache and return it to its queue; it recomputes what it had."""
        if request not in self.running:
            raise self._refuse(request, now_s, "cannot be preempted: it is not running here")
        tokens = self.detach(request, now_s)
        self.store.keep(request, tokens)
        self.resident_tokens -= tokens
        self.requeue(request)

    def detach(self, request: int, now_s: float) -> int:
        """Take a running request out of what runs; returns its KV tokens, which stay in the ledger's books."""
        cohort = self.running.pop(request)
        if cohort is None:
            tokens = self.prefilling.pop(request)
            self.backlog_tokens -= self._targets[request] - tokens
            return tokens
        if request in self.dock.copying:
            self.cluster.transfers.give_up(request, now_s)
        if self.gaps is not None:
            self.gaps.preempted(cohort, request)
        if self.deadlines is not None:
            self.deadlines.left(request)
        tokens, remaining = cohort.leave(request)
        self._targets[request] = self.requests.input_tokens[request] + self._outputs[request] - remaining
        return tokens

    def requeue(self, request: int) -> None:
        """Return a request that has lost its KV cache to the head of its queue."""
        self.requests.preemptions[request] += 1
        self.evictions += 1
        self.backlog_tokens += self._targets[request]
        (self._queue_of(request) if self._classified else self.queues[0]).push_back(request)

    def growth_blocks(self) -> int:
        """New blocks that one decode iteration of all takes."""
        cohorts = self.cohorts
        if len(cohorts) == 1:
            return cohorts[0].blocks_needed(1)
        blocks = 0
        for cohort in cohorts:
            blocks += cohort.blocks_needed(1)
        return blocks

    def cached_before(self, request: int, now_s: float) -> int:
        """KV tokens of a decoding or parked request, by the iterations that end before `now_s`."""
        return self._cached(request, self.stream.epoch.iterations_before, now_s)

    def cached_by(self, request: int, now_s: float) -> int:
        """The same with those that end at `now_s`."""
        return self._cached(request, self.stream.epoch.iterations_by, now_s)

    def _cached(self, request: int, iterations: Callable[[float, Cohort], int], now_s: float) -> int:
        parked = self.dock.parked.get(request) or next((p for r, p in self.dock.landed if r == request), None)
        if parked is not None:
            return parked.tokens
        cohort = self.running[request]
        assert cohort is not None
        return cohort.base[request] + cohort.clock + iterations(now_s, cohort)

    def evacuate(self, now_s: float) -> tuple[list[int], list[int]]:
        """Give up everything, as the instance dies: requests that have lost their KV cache, and those that waited."""
        self.stream.settle(now_s)
        lost = []
        for request in list(self.running):
            tokens = self.detach(request, now_s)
            self.store.release(request, tokens)
            lost.append(request)
        for request in list(self.dock.parked):
            self.dock.unpark(request, now_s)
            lost.append(request)
        for request, _ in self.dock.landed:
            self.store.release(request, 0)
            lost.append(request)
        self.dock.landed.clear()
        waiting = [request for queue in self.queues for request in queue]
        for queue in self.queues:
            while queue:
                queue.remove(next(iter(queue)))
        self.resident_tokens = self.in_system = self.backlog_tokens = 0
        self.store.lose()
        self.arrived.clear()
        self.stream.view.memo.clear()
        return lost, waiting

    @property
    def has_work(self) -> bool:
        """Whether requests wait or run here."""
        return bool(self.running) or any(map(len, self.queues))

    def changed(self) -> None:
        """Tell whoever keeps an index of the fleet."""
        for watcher in self.watchers:
            watcher.add(self.index)

    def move(self, move: Move, now_s: float) -> None:
        """Let a decoding request go on in another cohort; its KV cache stays.

        Raises
        ------
        PlanError
            When it is not decoding here, or there is no such cohort.
        """
        request, cohort = move
        if not 0 <= cohort < len(self.cohorts):
            raise self._refuse(request, now_s, f"was moved to cohort {cohort}, there are {len(self.cohorts)}")
        source = self.running.get(request)
        if source is None:
            raise self._refuse(request, now_s, "cannot be moved: it is not decoding here")
        target = self.cohorts[cohort]
        if target is source:
            return
        if self.gaps is not None:
            self.gaps.moved(source, target, request)
        tokens, remaining = source.leave(request)
        target.join(request, tokens, remaining, self.store.booked_blocks(request))
        self.running[request] = target
        if self.deadlines is not None:
            self.deadlines.left(request)
            self.deadlines.joined(target, request, self._outputs[request] - remaining)

    def kv_tokens_at(self, now_s: float) -> int:
        """KV tokens cached by the iterations that end before `now_s`: an arrival comes before an end at its instant."""
        return self.resident_tokens + self.stream.epoch.tokens_before(now_s)

    def check_integrity(self) -> None:
        """Assert that ledger, cohorts and running set agree."""
        cached = dict(self.prefilling)
        for cohort in self.cohorts:
            cached.update((r, base + cohort.clock) for r, base in cohort.base.items())
        assert cached.keys() == self.running.keys()
        assert min(self.prefilling.values(), default=0) >= 0
        assert sum(cached.values()) == self.resident_tokens, "resident tokens miscounted"
        self.store.check_integrity(cached | self.dock.check_integrity())
        waiting = [request for queue in self.queues for request in queue]
        left = sum(self.requests.prompt_target[r] for r in waiting)
        left += sum(self.requests.prompt_target[r] - done for r, done in self.prefilling.items())
        assert left == self.backlog_tokens, "prompt tokens to process miscounted"

    def _queue_of(self, request: int) -> WaitingQueue:
        class_id = self.requests.class_of(request)
        if not 0 <= class_id < len(self.queues):
            raise PlanError(f"the policy classified request {request} as {class_id}, it has {len(self.queues)} classes")
        return self.queues[class_id]

    def _admit(self, request: int, now_s: float) -> None:
        if request in self.running:
            raise self._refuse(request, now_s, "is already decoding and has no prompt left to process")
        requests = self.requests
        try:
            (self._queue_of(request) if self._classified else self.queues[0]).remove(request)
        except (ValueError, IndexError):
            raise self._refuse(request, now_s, "is not waiting here") from None
        self.running[request] = None
        if not (requests.preemptions[request] or requests.restarts[request]):
            requests.first_scheduled_s[request] = now_s

    def _depart(self, request: int, tokens: int, end_s: float) -> None:
        self.store.release(request, tokens)
        if self.store.prefixes is not None:
            self.requests.forget_path(request)
        self.resident_tokens -= tokens
        del self.running[request]
        self.requests.completion_s[request] = end_s
        self.requests.unfinished -= 1
        self.in_system -= 1
        if self.cluster.attentive:
            self.cluster.stirred = True
            if request in self.dock.copying:
                self.cluster.ended = self.index
                self.cluster.transfers.give_up(request, end_s)
                self.cluster.ended = -1

    def _refuse(self, request: int, now_s: float, why: str) -> PlanError:
        return PlanError(f"t = {now_s:.6g} s, instance {self.index}: request {request} {why}")
