"""KV memory of one instance: the ledger's books, and what is still cached of those who do not run."""

from __future__ import annotations

from collections.abc import Mapping
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
    """

    __slots__ = ("_hardware", "_index", "_requests", "ledger", "prefixes", "retained")

    def __init__(self, hardware: Hardware, requests: Requests, index: int) -> None:
        self._hardware = hardware
        self._requests = requests
        self._index = index
        self.ledger = KVLedger(hardware.kv_capacity_tokens, hardware.block_tokens)
        self.retained: RetainedKV | PrefixCache | None
        self.prefixes: PrefixCache | None
        self._renew()

    def shared_tokens(self, request: int) -> int:
        """Cached tokens of a resident request for which it holds no memory of its own."""
        return 0 if self.prefixes is None else self.prefixes.shared_tokens(request)

    def own_tokens(self, request: int, tokens: int) -> int:
        """Of `tokens` cached tokens of a resident request, those for which it holds memory itself."""
        return tokens if self.prefixes is None else tokens - self.prefixes.shared_tokens(request)

    def booked_blocks(self, request: int) -> int:
        """Blocks set aside for a resident request, shared ones included."""
        held = self.ledger.held[request]
        return held if self.prefixes is None else held + self.shared_tokens(request) // self.ledger.block_tokens

    def retained_within(self, request: int, most: int, taken: int = 0) -> int:
        """Tokens of a waiting request, at most `most`, that are cached once `taken` more blocks are taken."""
        if self.retained is None or most <= 0 or request not in self.retained:
            return 0
        return self.retained.tokens_of(request, most, taken)

    def take(self, request: int, tokens: int) -> None:
        """Let a resident request hold memory for `tokens` tokens."""
        used = self.ledger.used_blocks
        self.ledger.reserve(request, self.own_tokens(request, tokens))
        if self.retained is not None:
            self.retained.take(self.ledger.used_blocks - used)

    def release(self, request: int, tokens: int) -> None:
        """Free the memory of a request with `tokens` cached, which does not come back for them."""
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
