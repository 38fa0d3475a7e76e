"""The dock of an instance: requests that leave it with their KV cache, and those that come to it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from orsched.engine.instance import Instance


class Parked(NamedTuple):
    """A request whose KV cache is here while it does not run."""

    tokens: int
    cohort: int
    since_s: float


class Dock:
    """Requests between instances, as one instance sees them.

    Attributes
    ----------
    finished : list of int
        Prompts that the iteration just ended has finished; the policy places them now.
    parked : dict of int to Parked
        Requests that stand still with their KV cache here until it is elsewhere.
    inbound : deque of int
        Requests that want to come here, first come first served; their KV cache is elsewhere.
    expected : dict of int to int
        Requests on their way here -> tokens that memory is set aside for.
    landed : list of (int, Parked)
        Requests whose KV cache has arrived; they join at the next iteration.
    copying : set of int
        Requests that decode here while their KV cache is being copied away.
    leaving : dict of int to float
        Those of them that stop at the end of an iteration, and the time that it must end after.
    """

    __slots__ = ("_instance", "copying", "expected", "finished", "inbound", "landed", "leaving", "parked")

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.finished: list[int] = []
        self.parked: dict[int, Parked] = {}
        self.inbound: deque[int] = deque()
        self.expected: dict[int, int] = {}
        self.landed: list[tuple[int, Parked]] = []
        self.copying: set[int] = set()
        self.leaving: dict[int, float] = {}

    @property
    def in_use(self) -> bool:
        """Whether there is something to do between two epochs."""
        return bool(self.inbound or self.landed or self.leaving or self.expected)

    @property
    def holds_memory(self) -> bool:
        """Whether KV memory is held for requests that do not run."""
        return bool(self.parked or self.expected or self.landed)

    @property
    def empty(self) -> bool:
        """Whether nobody is here or wants to come."""
        return not (self.inbound or self.holds_memory)

    def park(self, request: int, tokens: int, cohort: int, now_s: float) -> None:
        """Let a request that was resident stand still; its blocks stay held."""
        instance = self._instance
        instance.resident_tokens -= tokens
        instance.ledger.settle(request, instance.store.own_tokens(request, tokens))
        self.parked[request] = Parked(tokens, cohort, now_s)

    def unpark(self, request: int, now_s: float) -> Parked:
        """Free the KV memory of a parked request: it is elsewhere now, or lost."""
        instance = self._instance
        parked = self.parked.pop(request)
        instance.stream.integrals.kv_token_s += parked.tokens * (now_s - parked.since_s)
        instance.stream.settle(now_s)
        instance.store.release(request, parked.tokens)
        return parked

    def stay(self, request: int, now_s: float) -> None:
        """Let a parked request go on here."""
        parked = self.parked.pop(request)
        self._instance.stream.integrals.kv_token_s += parked.tokens * (now_s - parked.since_s)
        self.landed.append((request, parked))

    def expect(self, request: int, tokens: int) -> None:
        """Set memory aside for a request on its way, all of it its own until it lands."""
        instance = self._instance
        if instance.store.prefixes is not None:
            instance.store.prefixes.claim(request, 0)
        instance.store.take(request, tokens)
        self.expected[request] = tokens

    def forget(self, request: int, now_s: float) -> None:
        """Give back the memory set aside for a request that does not come."""
        tokens = self.expected.pop(request)
        self._instance.stream.settle(now_s)
        self._instance.store.release(request, tokens)

    def receive(self, request: int, parked: Parked) -> None:
        """Note that a request's KV cache has arrived, with `parked.tokens` tokens."""
        del self.expected[request]
        self.landed.append((request, parked))

    @property
    def seats(self) -> int:
        """Requests that may still be told to come here."""
        instance = self._instance
        coming = len(self.expected) + len(self.landed)
        return max(0, instance.hardware.max_num_seqs - len(instance.running) - coming)

    def spare_tokens(self, tokens: int) -> int:
        """KV tokens that fit beside a new request of `tokens` tokens and a block to grow for everybody who runs."""
        ledger = self._instance.ledger
        spare = ledger.free_blocks - ledger.blocks_for(tokens) - len(self._instance.running)
        return max(0, spare) * ledger.block_tokens

    def stand_still(self, request: int, now_s: float) -> None:
        """Let a decoding request stop and park, with its KV cache."""
        instance = self._instance
        cohort = instance.running[request]
        assert cohort is not None
        number = instance.cohorts.index(cohort)
        self.park(request, instance.detach(request, now_s), number, now_s)

    def land(self) -> None:
        """Let those whose KV cache has arrived decode, if there is a seat and what they have grown by fits.

        The others wait, and are turned out when they would wait for nobody.
        """
        self.landed = [(request, parked) for request, parked in self.landed if not self._joins(request, parked)]

    def _joins(self, request: int, parked: Parked) -> bool:
        """Whether a request that has arrived does not wait any longer."""
        instance, tokens = self._instance, parked.tokens
        ledger, store = instance.ledger, instance.store
        missing = ledger.blocks_for(tokens) - store.booked_blocks(request)
        if missing > ledger.free_blocks or len(instance.running) >= instance.hardware.max_num_seqs:
            if instance.running:
                return False
            self._turn_out(request, parked)
            return True
        instance.arrived.append(request)
        store.take(request, tokens)
        if store.prefixes is not None:
            store.prefixes.publish(request, tokens)
        emitted = tokens - instance.requests.input_tokens[request] + 1
        cohort = instance.decode(request, tokens, parked.cohort, emitted)
        instance.resident_tokens += tokens
        if instance.gaps is not None:
            instance.gaps.resumed(cohort, request)
        return True

    def turn_out_last(self) -> None:
        """Preempt the one that has arrived last: it has no room, and recomputes its KV cache here."""
        self._turn_out(*self.landed.pop())

    def _turn_out(self, request: int, parked: Parked) -> None:
        instance = self._instance
        instance.arrived.append(request)
        instance.store.release(request, 0)
        instance.requests.prompt_target[request] = parked.tokens + 1
        instance.requeue(request)

    def check_integrity(self) -> dict[int, int]:
        """KV tokens held here for requests that do not run, for the ledger's check."""
        held = {request: parked.tokens for request, parked in self.parked.items()}
        held.update(self.expected)
        shared = self._instance.store.shared_tokens
        held.update((request, shared(request)) for request, _ in self.landed)
        return held
