"""What a policy may see of an instance, without the hidden output lengths."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from orsched.catalogue import Hardware
    from orsched.engine.instance import Instance
    from orsched.group import Role
    from orsched.request import SLO


class InstanceView:
    """An instance at a decision epoch, read-only.

    Attributes
    ----------
    now_s : float
        Current time, seconds.
    iterations : int
        Iterations this instance has run so far.
    waiting : collection of int
        Waiting requests of class 0 in queue order (all of them, for a policy without classes).
    arrived : sequence of int
        Every request that has come into sight here so far, in that order: a policy that remembers how many it has seen
        finds the new ones without scanning the queue. One that was routed here begins to wait. One that has come with
        its KV cache begins to decode, or to wait if it had to give its cache up. One that was parked here after its
        prompt and goes on here comes again: it was out of sight, as is one that has left with its KV cache.
    prefilling : mapping of int to int
        Admitted requests whose prompt is partly processed -> tokens done, in order of admission.
    running : collection of int
        All admitted requests, prefilling or decoding, in order of admission.
    max_num_seqs : int
        Most requests the instance takes in one batch.
    prompt_tokens : sequence of int
        By request: tokens to process from scratch before its next token, that is its prompt and, after a preemption,
        the tokens it had emitted.
    retains_kv : bool
        Whether tokens of a waiting request may be cached here (`retained_tokens`).
    memo : dict
        Scratch memory of the policy on this instance; empty at the start of a run.
    rng : numpy.random.Generator
        The policy's own random stream on this instance.
    """

    __slots__ = (
        "_instance",
        "_ledger",
        "arrived",
        "iterations",
        "max_num_seqs",
        "memo",
        "now_s",
        "prefilling",
        "prompt_tokens",
        "retains_kv",
        "rng",
        "running",
        "waiting",
    )

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._ledger = instance.ledger
        self.waiting: Collection[int] = instance.queues[0]
        self.arrived: Sequence[int] = instance.arrived
        self.prefilling: Mapping[int, int] = instance.prefilling
        self.running: Collection[int] = instance.running.keys()
        self.max_num_seqs = instance.hardware.max_num_seqs
        self.retains_kv = instance.hardware.keeps_preempted_kv
        self.prompt_tokens: Sequence[int] = instance.requests.prompt_target
        self.now_s = 0.0
        self.iterations = 0
        self.memo: dict[str, Any] = {}
        self.rng: np.random.Generator

    @property
    def num_classes(self) -> int:
        """Waiting queues the policy tells apart."""
        return len(self._instance.queues)

    def waiting_of(self, class_id: int) -> Collection[int]:
        """Waiting requests of a class in queue order."""
        return self._instance.queues[class_id]

    @property
    def num_running(self) -> int:
        """Admitted requests, decoding or prefilling."""
        return len(self.running)

    def latest_first(self) -> Iterator[int]:
        """Admitted requests, the latest admitted first."""
        return reversed(self._instance.running)

    def decoding(self, cohort: int = 0) -> int:
        """Number of decoding requests in a cohort."""
        return len(self._instance.cohorts[cohort])

    def decoding_tokens(self, cohort: int = 0) -> int:
        """KV tokens that the decoding requests of a cohort have cached."""
        return self._instance.cohorts[cohort].kv_tokens

    def members(self, cohort: int = 0) -> Collection[int]:
        """Decoding requests of a cohort, in the order in which they joined it."""
        return self._instance.cohorts[cohort].base.keys()

    def clock(self, cohort: int = 0) -> int:
        """Iterations a cohort has advanced since the start of the run."""
        return self._instance.cohorts[cohort].clock

    @property
    def context_tokens(self) -> int:
        """Longest context (prompt plus output) the deployment is configured for, tokens."""
        return self._instance.requests.context_tokens

    @property
    def free_blocks(self) -> int:
        """KV blocks nobody holds."""
        ledger = self._ledger
        return ledger.capacity_blocks - ledger.used_blocks

    @property
    def capacity_blocks(self) -> int:
        """KV blocks of the instance."""
        return self._ledger.capacity_blocks

    def blocks_for(self, tokens: int) -> int:
        """Blocks that `tokens` KV tokens of one request occupy."""
        return -(-tokens // self._ledger.block_tokens)

    def growth_blocks(self, cohorts: Iterable[int] | None = None) -> int:
        """New blocks that one decode iteration of the given cohorts takes; None: of all of them."""
        if cohorts is None:
            return self._instance.growth_blocks()
        every = self._instance.cohorts
        return sum(every[c].blocks_needed(1) for c in cohorts)

    def held_blocks(self, request: int) -> int:
        """Blocks that preempting a running `request` would free; of those it shares with others, none."""
        store, ledger = self._instance.store, self._ledger
        held = ledger.held[request]
        grown = -(-store.own_tokens(request, self.cached_tokens(request)) // ledger.block_tokens)
        blocks = held if held > grown else grown
        return blocks if store.prefixes is None else blocks + store.prefixes.lone_blocks(request)

    def missing_blocks(self, request: int, tokens: int) -> int:
        """Blocks that a running `request` has to take in order to hold `tokens` tokens."""
        return max(0, self.blocks_for(tokens) - self._instance.store.booked_blocks(request))

    def cached_tokens(self, request: int) -> int:
        """KV tokens a running `request` has cached."""
        cohort = self._instance.running[request]
        return self.prefilling[request] if cohort is None else cohort.base[request] + cohort.clock

    def needs_block(self, request: int) -> bool:
        """Whether a running `request` takes a new block in its next decode iteration."""
        cohort = self._instance.running[request]
        return cohort is not None and cohort.needs_block(request)

    def cohort_of(self, request: int) -> int | None:
        """Number of the cohort a running `request` decodes in; None while it prefills."""
        cohort = self._instance.running[request]
        return None if cohort is None else self._instance.cohorts.index(cohort)

    def prompt_left(self, request: int) -> int:
        """Tokens still to process before `request` emits its next token (recomputation included)."""
        return self.prompt_tokens[request] - self.prefilling.get(request, 0)

    def retained_tokens(self, request: int, taken_blocks: int = 0) -> int:
        """Tokens of a waiting `request` that are cached here: `Chunk.reused_tokens` may be as many.

        They outlived its preemption, or others have processed the same prefix (`Hardware.keeps_prefixes`).

        With `taken_blocks`, what would be left once so many more free blocks were taken. A batcher that pauses
        admissions (``wake_on_arrival=False``) counts the growth of this iteration in: otherwise an admission that does
        not fit now might fit after some decoding, when less is reused.
        """
        return self._instance.retained_tokens(request, taken_blocks)

    def input_tokens(self, request: int) -> int:
        """Prompt length of `request`."""
        return self._instance.requests.input_tokens[request]

    def arrival_s(self, request: int) -> float:
        """When `request` arrived, seconds."""
        return self._instance.requests.arrival_s[request]

    def label(self, request: int) -> int:
        """The workload's own class of `request` (`Workload.class_id`): its tenant or service class."""
        return self._instance.requests.labels[request]

    def emitted_tokens(self, request: int) -> int:
        """Output tokens `request` has emitted so far, on this instance or before a preemption."""
        requests = self._instance.requests
        if self._instance.running.get(request) is None:
            return requests.prompt_target[request] - requests.input_tokens[request]
        return self.cached_tokens(request) + 1 - requests.input_tokens[request]

    def output_tokens(self, request: int) -> int:
        """Output length of `request` as far as the policy knows it.

        The true one with `Information.ORACLE`. With `Information.PREDICTED` the predicted one, at most what the
        deployment's context and the instance's memory allow, and one more than it has emitted when it has outlived its
        prediction.

        Raises
        ------
        InformationError
            With less information than that.
        """
        requests = self._instance.requests
        if not requests.tells_lengths:
            raise requests.hidden(request)
        known = requests.known_tokens(request)
        if requests.predictions is None:
            return known
        return max(min(known, self._most_output_tokens(request)), self.emitted_tokens(request) + 1)

    def output_interval(self, request: int) -> tuple[int, int]:
        """Least and most output tokens predicted for `request`; the true length twice with `Information.ORACLE`.

        At most what the deployment's context and the instance's memory allow, and at least one more than it has
        emitted.

        Raises
        ------
        InformationError
            With less information than `Information.PREDICTED`.
        """
        known = self.output_tokens(request)
        predictions = self._instance.requests.predictions
        if predictions is None:
            return known, known
        least, most = self.emitted_tokens(request) + 1, self._most_output_tokens(request)
        low, high = (max(min(int(end[request]), most), least) for end in (predictions.low, predictions.high))
        return low, high

    def _most_output_tokens(self, request: int) -> int:
        """Longest output that can be served here; the last token is never cached."""
        cached = self._ledger.capacity_blocks * self._ledger.block_tokens
        return min(self.context_tokens, cached + 1) - self.input_tokens(request)

    def arriving_tokens(self, request: int) -> int:
        """KV tokens, now, of a request that wants to come here."""
        transfers = self._instance.cluster.transfers
        return transfers.under_way[request].source.cached_by(request, self.now_s)

    @property
    def hardware(self) -> Hardware:
        """What the instance is."""
        return self._instance.hardware

    @property
    def tier(self) -> str | None:
        """Its service tier now; None: none."""
        return self._instance.tier

    @property
    def role(self) -> Role:
        """Its role now."""
        return self._instance.role

    @property
    def num_inbound(self) -> int:
        """Requests that are coming with their KV cache and have been accepted, or have arrived and wait for a seat."""
        dock = self._instance.dock
        return len(dock.expected) + len(dock.landed)

    @property
    def inbound_blocks(self) -> int:
        """KV blocks held for the requests that `num_inbound` counts."""
        dock, held = self._instance.dock, self._ledger.held
        if not dock.holds_memory:
            return 0
        return sum(held[r] for r in dock.expected) + sum(held[r] for r, _ in dock.landed)

    @property
    def promised_blocks(self) -> int:
        """KV blocks held for requests that do not run here: those that `num_inbound` counts, and parked ones."""
        dock, held = self._instance.dock, self._ledger.held
        return self.inbound_blocks + sum([held[r] for r in dock.parked]) if dock.holds_memory else 0

    def slo(self, request: int) -> SLO | None:
        """Objective of the workload's class of `request`; None when it has none."""
        requests = self._instance.requests
        return requests.slos[requests.labels[request]]

    @property
    def closed(self) -> bool:
        """Whether the experiment has said that no request will arrive any more."""
        return self._instance.closed
