"""The KV ledger: who holds how much KV cache, and proof that it never exceeds the capacity."""

from __future__ import annotations

from collections.abc import Iterable

from orsched.errors import InputError, PlanError


class KVLedger:
    """KV memory of one instance, in blocks of `block_tokens` tokens.

    Requests hold whole blocks. `held` maps a request to the blocks set aside for it when it was admitted;
    decode growth beyond them is booked by `grow` for a whole cohort at once, and given back by `release`.

    Parameters
    ----------
    capacity_tokens : int
        KV tokens that fit; only whole blocks count.
    block_tokens : int
        Allocation unit, 1 for token granularity.
    """

    __slots__ = ("block_tokens", "capacity_blocks", "held", "used_blocks")

    def __init__(self, capacity_tokens: int, block_tokens: int = 1) -> None:
        if block_tokens < 1 or capacity_tokens < block_tokens:
            raise InputError(
                f"KV capacity {capacity_tokens} tokens in blocks of {block_tokens}: need at least one block"
            )
        self.capacity_blocks = capacity_tokens // block_tokens
        self.block_tokens = block_tokens
        self.used_blocks = 0
        self.held: dict[int, int] = {}

    @property
    def free_blocks(self) -> int:
        """Blocks nobody holds."""
        return self.capacity_blocks - self.used_blocks

    def blocks_for(self, tokens: int) -> int:
        """Blocks that `tokens` KV tokens of one request occupy."""
        return -(-tokens // self.block_tokens)

    def reserve(self, request: int, tokens: int) -> None:
        """Set aside blocks so that `request` holds room for at least `tokens` tokens.

        Raises
        ------
        PlanError
            When they are not free: the policy planned more than fits.
        """
        blocks = -(-tokens // self.block_tokens)
        more = blocks - self.held.get(request, 0)
        if more > 0:
            if more > self.capacity_blocks - self.used_blocks:
                raise self._overflow(more)
            self.used_blocks += more
            self.held[request] = blocks

    def grow(self, blocks: int) -> None:
        """Book `blocks` more blocks.

        Raises
        ------
        PlanError
            When they are not free.
        """
        if blocks > self.capacity_blocks - self.used_blocks:
            raise self._overflow(blocks)
        self.used_blocks += blocks

    def shrink(self, blocks: int) -> None:
        """Give back `blocks` blocks that `grow` booked and that were not needed after all."""
        self.used_blocks -= blocks

    def settle(self, request: int, tokens: int) -> None:
        """Book under the name of `request`, which has `tokens` KV tokens cached, the blocks that it has grown by."""
        self.held[request] = max(self.held[request], -(-tokens // self.block_tokens))

    def release(self, request: int, tokens: int) -> int:
        """Free everything `request` holds, knowing that it has `tokens` KV tokens cached; returns the blocks."""
        held, grown = self.held.pop(request), -(-tokens // self.block_tokens)
        blocks = held if held > grown else grown
        self.used_blocks -= blocks
        return blocks

    def _overflow(self, blocks: int) -> PlanError:
        return PlanError(
            f"KV overflow: {blocks} blocks of {self.block_tokens} tokens asked for, "
            f"{self.free_blocks} of {self.capacity_blocks} free; the policy must preempt or admit less"
        )

    def check_integrity(self, cached: Iterable[tuple[int, int]], shared_blocks: int = 0) -> None:
        """Assert that the books agree with the requests.

        Parameters
        ----------
        cached : iterable of (request, tokens)
            Every resident request and the KV tokens it has cached in blocks of its own.
        shared_blocks : int
            Blocks booked that belong to no request alone.
        """
        tokens_of = dict(cached)
        assert tokens_of.keys() == self.held.keys(), "residents and holders differ"
        held = shared_blocks + sum(max(self.held[r], self.blocks_for(t)) for r, t in tokens_of.items())
        assert held == self.used_blocks, f"books say {self.used_blocks} blocks, requests hold {held}"
        assert 0 <= self.used_blocks <= self.capacity_blocks, "KV capacity exceeded"
