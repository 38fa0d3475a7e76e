"""One instance: its queues, its KV ledger, its cohorts, and the transitions a plan may cause."""

from __future__ import annotations

from collections.abc import Callable

from orsched.catalogue import Hardware
from orsched.engine.calendar import Calendar
from orsched.engine.cohort import Cohort
from orsched.engine.gap_log import GapLog
from orsched.engine.plan import Chunk, Move
from orsched.engine.queues import FifoQueue, KeyedQueue, WaitingQueue
from orsched.engine.requests import Requests
from orsched.engine.retained import RetainedKV
from orsched.engine.stream import Stream
from orsched.errors import PlanError
from orsched.memory import KVLedger
from orsched.policy import Policy


class Instance:
    """State of one instance. Only its stream and the calendar change it; policies see it through a view.

    Parameters
    ----------
    index : int
        Its place in the fleet.
    hardware : Hardware
        What it is.
    policy : Policy
        What runs on it.
    requests : Requests
        The run's requests.
    calendar : Calendar
        The run's calendar.
    epoch_limit : int
        Most iterations per epoch (1 forces token-by-token simulation).
    alone : bool
        Whether it is the whole fleet.
    skews : tuple of float, optional
        `ServiceModel.kv_skew` by the number of decoding requests; None when it is zero for all.
    """

    def __init__(
        self,
        index: int,
        hardware: Hardware,
        policy: Policy,
        requests: Requests,
        calendar: Calendar,
        epoch_limit: int,
        alone: bool,
        skews: tuple[float, ...] | None = None,
    ) -> None:
        self.index = index
        self.hardware = hardware
        self.requests = requests
        self.ledger = KVLedger(hardware.kv_capacity_tokens, hardware.block_tokens)
        self.retained = (
            RetainedKV(self.ledger.capacity_blocks, self.ledger.block_tokens) if hardware.keeps_preempted_kv else None
        )
        cohorts = policy.num_cohorts or policy.num_classes
        self.cohorts = [Cohort(self.ledger.block_tokens, skews is not None) for _ in range(cohorts)]
        self.queues: list[WaitingQueue] = [
            FifoQueue() if policy.order is None else KeyedQueue(requests.key_of) for _ in range(policy.num_classes)
        ]
        self.running: dict[int, Cohort | None] = {}
        self.prefilling: dict[int, int] = {}
        self.arrived: list[int] = []
        self.in_system = 0
        self.resident_tokens = 0
        """KV tokens cached at the start of the epoch in flight."""
        self.closed = False
        self.gaps: GapLog | None = None
        self.watchers: list[tuple[str, Callable[[int, int], None]]] = []
        self._classified = policy.num_classes > 1
        self._outputs = requests.true_output_tokens()
        self._targets = requests.prompt_target
        self._inputs = requests.input_tokens
        self._first_token_s = requests.first_token_s
        self.stream = Stream(self, policy, calendar, epoch_limit, alone, skews)

    def arrive(self, request: int) -> None:
        """Queue a newly routed request."""
        requests = self.requests
        requests.instance[request] = self.index
        self.arrived.append(request)
        (self._queue_of(request) if self._classified else self.queues[0]).push(request)
        self.in_system += 1
        if self.watchers:
            self.notify()

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
        if reused and (self.retained is None or done is not None):
            raise self._refuse(request, now_s, f"cannot reuse {reused} tokens: nothing of it is retained")
        if done is None:
            self._admit(request, now_s)
            self.prefilling[request] = done = reused or 0
            self.resident_tokens += done
        left = self._targets[request] - done
        if not 0 < tokens <= left:
            raise self._refuse(request, now_s, f"was given a chunk of {tokens} tokens, {left} are left")
        held = done + tokens
        try:
            self.ledger.reserve(request, held if held > reserve else reserve)
        except PlanError as error:
            raise self._refuse(request, now_s, f"does not fit: {error}") from None
        return done

    def retained_tokens(self, request: int, taken: int = 0) -> int:
        """Tokens of a waiting request that need not be processed again; one is always left, to emit the next."""
        if self.retained is None or request not in self.retained:
            return 0
        return self.retained.tokens_of(request, self._targets[request] - 1, taken)

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
            When a chunk reuses more than is retained, or part of a block.
        """
        assert self.retained is not None
        rest, claimed, size = [], 0, self.ledger.block_tokens
        for chunk in chunks:
            request, tokens, reserve, cohort, reused = chunk
            kept = self.retained_tokens(request)
            if reused is None:
                skipped = max(0, min(kept, tokens - 1)) // size * size
                chunk = Chunk(request, tokens - skipped, reserve, cohort, skipped)
            elif not 0 <= reused <= kept or reused % size:
                raise self._refuse(request, now_s, f"cannot reuse {reused} tokens: {kept} in whole blocks are retained")
            claimed += self.retained.claim(request, chunk.reused_tokens or 0)
            rest.append(chunk)
        return tuple(rest), claimed

    def finish_chunk(self, chunk: Chunk, end_s: float) -> None:
        """Book a processed chunk; the one that completes the prompt emits a token."""
        request = chunk.request
        self.resident_tokens += chunk.tokens
        done = self.prefilling[request] + chunk.tokens
        if done < self._targets[request]:
            self.prefilling[request] = done
            return
        del self.prefilling[request]
        emitted = done - self._inputs[request] + 1
        if emitted == 1:
            self._first_token_s[request] = end_s
        elif self.gaps is not None:
            self.gaps.recomputed(request, end_s)
        remaining = self._outputs[request] - emitted
        if remaining == 0:
            self._depart(request, done, end_s)
        else:
            cohort = self.cohorts[chunk.cohort]
            cohort.join(request, done, remaining, self.ledger.held[request])
            self.running[request] = cohort
            if self.gaps is not None:
                self.gaps.joined(cohort, request, end_s)

    def complete(self, cohort: Cohort, end_s: float) -> None:
        """Let every member of `cohort` that has emitted its last token leave."""
        for request, tokens in cohort.pop_finished():
            self._depart(request, tokens, end_s)

    def preempt(self, request: int, now_s: float) -> None:
        """Drop a resident request's KV cache and return it to its queue; it recomputes what it had."""
        requests = self.requests
        if request not in self.running:
            raise self._refuse(request, now_s, "cannot be preempted: it is not running here")
        cohort = self.running.pop(request)
        if cohort is None:
            tokens = self.prefilling.pop(request)
        else:
            if self.gaps is not None:
                self.gaps.preempted(cohort, request)
            tokens, remaining = cohort.leave(request)
            emitted = self._outputs[request] - remaining
            self._targets[request] = requests.input_tokens[request] + emitted
        blocks = self.ledger.release(request, tokens)
        if self.retained is not None:
            self.retained.keep(request, tokens, blocks)
        self.resident_tokens -= tokens
        requests.preemptions[request] += 1
        (self._queue_of(request) if self._classified else self.queues[0]).push_back(request)

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
        target.join(request, tokens, remaining, self.ledger.held[request])
        self.running[request] = target

    def kv_tokens_at(self, now_s: float) -> int:
        """KV tokens cached by the iterations that end before `now_s`: an arrival comes before an end at its instant."""
        return self.resident_tokens + self.stream.tokens_appended_before(now_s)

    def notify(self) -> None:
        """Tell the fleet's indices what changed."""
        for quantity, update in self.watchers:
            update(self.index, getattr(self, quantity))

    def check_integrity(self) -> None:
        """Assert that ledger, cohorts and running set agree."""
        cached = dict(self.prefilling)
        for cohort in self.cohorts:
            cached.update((r, base + cohort.clock) for r, base in cohort.base.items())
        assert cached.keys() == self.running.keys()
        assert min(self.prefilling.values(), default=0) >= 0
        self.ledger.check_integrity(cached.items())
        if self.retained is not None:
            self.retained.check_integrity(self.ledger.free_blocks)
        assert sum(cached.values()) == self.resident_tokens, "resident tokens miscounted"
        waiting = sum(map(len, self.queues))
        assert self.in_system == waiting + len(self.running)

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
        if not requests.preemptions[request]:
            requests.first_scheduled_s[request] = now_s

    def _depart(self, request: int, tokens: int, end_s: float) -> None:
        blocks = self.ledger.release(request, tokens)
        if self.retained is not None:
            self.retained.free(blocks)
        self.resident_tokens -= tokens
        del self.running[request]
        self.requests.completion_s[request] = end_s
        self.in_system -= 1

    def _refuse(self, request: int, now_s: float, why: str) -> PlanError:
        return PlanError(f"t = {now_s:.6g} s, instance {self.index}: request {request} {why}")
