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
    leaving : list of int
        Those of them that stop at the end of the iteration in flight.
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
        self.leaving: list[int] = []

    @property
    def in_use(self) -> bool:
        """Whether there is something to do between two epochs."""
        return bool(self.inbound or self.landed or self.leaving or self.expected)

    @property
    def holds_memory(self) -> bool:
        """Whether KV memory is held for requests that do not run."""
        return bool(self.parked or self.expected or self.landed)

    def park(self, request: int, tokens: int, cohort: int, now_s: float) -> None:
        """Let a request that was resident stand still; its blocks stay held."""
        instance = self._instance
        instance.resident_tokens -= tokens
        instance.ledger.settle(request, instance.own_tokens(request, tokens))
        self.parked[request] = Parked(tokens, cohort, now_s)

    def unpark(self, request: int, now_s: float) -> Parked:
        """Free the KV memory of a parked request: it is elsewhere now, or lost."""
        instance = self._instance
        parked = self.parked.pop(request)
        instance.stream.integrals.kv_token_s += parked.tokens * (now_s - parked.since_s)
        instance.stream.settle(now_s)
        instance.release(request, parked.tokens)
        return parked

    def stay(self, request: int, now_s: float) -> None:
        """Let a parked request go on here."""
        parked = self.parked.pop(request)
        self._instance.stream.integrals.kv_token_s += parked.tokens * (now_s - parked.since_s)
        self.landed.append((request, parked))

    def expect(self, request: int, tokens: int) -> None:
        """Set memory aside for a request on its way, all of it its own until it lands."""
        instance = self._instance
        if instance.prefixes is not None:
            instance.prefixes.claim(request, 0)
        instance.take(request, tokens)
        self.expected[request] = tokens

    def forget(self, request: int, now_s: float) -> None:
        """Give back the memory set aside for a request that does not come."""
        tokens = self.expected.pop(request)
        self._instance.stream.settle(now_s)
        self._instance.release(request, tokens)

    def receive(self, request: int, parked: Parked) -> None:
        """Note that a request's KV cache has arrived, with `parked.tokens` tokens."""
        del self.expected[request]
        self.landed.append((request, parked))

    def check_integrity(self) -> dict[int, int]:
        """KV tokens held here for requests that do not run, for the ledger's check."""
        held = {request: parked.tokens for request, parked in self.parked.items()}
        held.update(self.expected)
        held.update((request, parked.tokens) for request, parked in self.landed)
        return held
