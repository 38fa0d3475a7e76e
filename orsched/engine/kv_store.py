"""KV memory of one instance: the ledger's books, and what is still cached of those who do not run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from orsched.engine.caching import cache_for
from orsched.engine.prefix_cache import PrefixCache
from orsched.engine.retained import RetainedKV
from orsched.memory import KVLedger

if TYPE_CHECKING:
    from orsched.catalogue import Hardware
    from orsched.engine.requests import Requests


class KVStore:
    """Who holds memory, what they share, and what of it outlives them.

    Parameters
    ----------
    hardware : Hardware
        How much there is, and what is kept.
    requests : Requests
        The run's requests.
    index : int
        Number of the instance.

    Attributes
    ----------
    ledger : KVLedger
        The books.
    retained : RetainedKV or PrefixCache, optional
        What is cached in free blocks; None when nothing is kept.
    prefixes : PrefixCache, optional
        The same where requests share prefixes.
    reserve : callable
        ``reserve(request, tokens)`` lets a resident request hold memory for `tokens` tokens; raises PlanError when it
        is not free.
    booked_blocks : callable
        ``booked_blocks(request)`` returns the blocks set aside for a resident request, shared ones included.
    release : callable
        ``release(request, tokens)`` frees the memory of a request with `tokens` cached, which does not come back for
        them.
    """

    __slots__ = (
        "_hardware",
        "_index",
        "_requests",
        "booked_blocks",
        "ledger",
        "prefixes",
        "release",
        "reserve",
        "retained",
    )

    def __init__(self, hardware: Hardware, requests: Requests, index: int) -> None:
        self._hardware = hardware
        self._requests = requests
        self._index = index
        self.ledger = KVLedger(hardware.kv_capacity_tokens, hardware.block_tokens)
        self.retained: RetainedKV | PrefixCache | None
        self.prefixes: PrefixCache | None
        self._renew()
        # Where nothing is shared or outlives its request, the ledger says it all.
        shares, keeps = self.prefixes is not None, self.retained is not None
        self.reserve: Callable[[int, int], None] = self._reserve_own if shares else self.ledger.reserve
        self.booked_blocks: Callable[[int], int] = self._held_and_shared if shares else self.ledger.held.__getitem__
        self.release: Callable[[int, int], object] = self._free if keeps else self.ledger.release

    def shared_tokens(self, request: int) -> int:
        """Cached tokens of a resident request for which it holds no memory of its own."""
        return 0 if self.prefixes is None else self.prefixes.shared_tokens(request)

    def own_tokens(self, request: int, tokens: int) -> int:
        """Of `tokens` cached tokens of a resident request, those for which it holds memory itself."""
        return tokens if self.prefixes is None else tokens - self.prefixes.shared_tokens(request)

    def _reserve_own(self, request: int, tokens: int) -> None:
        self.ledger.reserve(request, self.own_tokens(request, tokens))

    def _held_and_shared(self, request: int) -> int:
        return self.ledger.held[request] + self.shared_tokens(request) // self.ledger.block_tokens

    def retained_within(self, request: int, most: int, taken: int = 0) -> int:
        """Tokens of a waiting request, at most `most`, that are cached once `taken` more blocks are taken."""
        if self.retained is None or most <= 0 or request not in self.retained:
            return 0
        return self.retained.tokens_of(request, most, taken)

    def take(self, request: int, tokens: int) -> None:
        """Let a resident request hold memory for `tokens` tokens, at the cost of what is cached there."""
        used = self.ledger.used_blocks
        self.reserve(request, tokens)
        if self.retained is not None:
            self.retained.take(self.ledger.used_blocks - used)

    def _free(self, request: int, tokens: int) -> None:
        blocks = self.ledger.release(request, self.own_tokens(request, tokens))
        if self.prefixes is not None:
            self.prefixes.leave(request, blocks)
        elif isinstance(self.retained, RetainedKV):
            self.retained.free(blocks)

    def keep(self, request: int, tokens: int) -> None:
        """Free the memory of a request with `tokens` cached, which may come back for them."""
        own = self.own_tokens(request, tokens)
        blocks = self.ledger.release(request, own)
        if self.retained is not None:
            self.retained.keep(request, own, blocks)

    def lose(self) -> None:
        """Forget everything that is cached; nobody is resident any more."""
        if self.prefixes is not None:
            self.prefixes.lose()
        self._renew()

    def check_integrity(self, cached: Mapping[int, int]) -> None:
        """Assert that the books agree with the KV tokens that residents have cached."""
        own = [(request, self.own_tokens(request, tokens)) for request, tokens in cached.items()]
        self.ledger.check_integrity(own, 0 if self.prefixes is None else self.prefixes.pinned_blocks)
        if self.retained is not None:
            self.retained.check_integrity(self.ledger.free_blocks)

    def _renew(self) -> None:
        self.retained = cache = cache_for(self._hardware, self.ledger, self._requests, self._index)
        self.prefixes = cache if isinstance(cache, PrefixCache) else None
