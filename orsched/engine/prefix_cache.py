"""Prefix blocks cached on one instance: shared while requests use them, kept until their memory is needed."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence

from orsched.errors import InputError
from orsched.memory import KVLedger


class PrefixCache:
    """A reference-counted store of prefix blocks over the ledger of an instance.

    A prompt that has been processed up to the end of a prefix block leaves this block in the cache. Requests that run
    *pin* the blocks at the start of their prompt, from the first on; a pinned block is held once in the ledger, however
    many pin it. A block that nobody pins any more is *idle*: its memory counts as free, and it stays cached until all
    empty blocks are used and it is its turn: the least recently used first, and a block never before those that follow
    it. What is cached of a prompt is therefore always a prefix. When two requests have processed the same block, the
    second gives its copy back and shares the first one's (our choice).

    A preempted request's own blocks, those after its prefix blocks, are idle too, until it comes back for them: the
    cache stands in for `RetainedKV` and is asked in the same way. (There, blocks that hold nothing wait their turn in
    the order in which they were freed; here they are taken first.)

    Everything costs O(1) per block, amortised; `tokens_of` O(log blocks of the prompt), and after `taken` blocks also
    as many runs as those blocks are in.

    Parameters
    ----------
    ledger : KVLedger
        The instance's ledger. Private blocks of requests are booked there by the instance; the cache books the pinned
        ones.
    block_tokens : int
        Tokens of a prefix block, a multiple of the ledger's.
    path : callable
        ``path(request)`` returns the ids of the prefix blocks that the prompt of `request` fills, first block first;
        ids are >= 0, and an id always follows the same one (`PrefixBlocks`).
    report : callable
        ``report(block, cached)`` is told when the first block of a path comes into the cache or leaves it.

    Raises
    ------
    InputError
        When a prefix block is no whole number of the ledger's blocks.
    """

    __slots__ = (
        "_empty",
        "_firsts",
        "_idle",
        "_idle_blocks",
        "_ledger",
        "_path",
        "_pinned",
        "_pins",
        "_report",
        "_run",
        "_tail_start",
        "_tokens",
        "duplicate_tokens",
        "pinned_blocks",
    )

    def __init__(
        self,
        ledger: KVLedger,
        block_tokens: int,
        path: Callable[[int], Sequence[int]],
        report: Callable[[int, bool], None],
    ) -> None:
        if block_tokens % ledger.block_tokens:
            raise InputError(
                f"prefix blocks of {block_tokens} tokens cannot be cached in KV blocks of {ledger.block_tokens}: "
                "the first must be a multiple of the second"
            )
        self._ledger = ledger
        self._path = path
        self._report = report
        self._firsts: set[int] = set()
        self._tokens = block_tokens
        self._run = block_tokens // ledger.block_tokens
        self._pins: dict[int, int] = {}
        """Requests that pin each cached block; 0: idle."""
        self._idle: OrderedDict[int, int] = OrderedDict()
        """Ledger blocks of what is idle, the next to be taken first: a block under its id, a tail under ~request."""
        self._idle_blocks = 0
        self._empty = ledger.free_blocks
        self._pinned: dict[int, int] = {}
        """Prefix blocks that each resident request pins."""
        self._tail_start: dict[int, int] = {}
        """Tokens before the tail of each preempted request that has one."""
        self.pinned_blocks = 0
        """Ledger blocks of the pinned prefix blocks."""
        self.duplicate_tokens = 0
        """Tokens by which the contexts of resident requests exceed what they hold: what is shared is there once."""

    def __contains__(self, request: int) -> bool:
        """Whether `request` could find something here: it is not resident."""
        return request not in self._pinned

    def shared_tokens(self, request: int) -> int:
        """Cached tokens of a resident `request` that are not booked under its name but pinned."""
        return self._pinned[request] * self._tokens

    def lone_blocks(self, request: int) -> int:
        """Ledger blocks that only a resident `request` pins: the last ones of those that it pins."""
        pinned = self._path(request)[: self._pinned[request]]
        return self._run * (len(pinned) - bisect_left(pinned, True, key=lambda block: self._pins[block] == 1))

    def tokens_of(self, request: int, most: int, taken: int = 0) -> int:
        """Tokens of `request` cached once `taken` more blocks are taken, at most `most`: what it may `claim`.

        Whole prefix blocks, and whole ledger blocks of its own after them. `request` must not be resident.
        """
        path, idle = self._path(request), self._idle
        length = self._cached(path)
        tail = idle.get(~request, 0)
        need = taken - self._empty
        if need > 0:
            own = set(path[:length])
            for key, blocks in idle.items():
                if need <= 0:
                    break
                if key == ~request:
                    tail = max(0, tail - need)
                elif key in own:
                    own.remove(key)
                need -= blocks
            length = len(own)
        tokens = min(length, most // self._tokens) * self._tokens
        if tail and tokens == length * self._tokens == self._tail_start[request]:
            tokens += min(tail, (most - tokens) // self._ledger.block_tokens) * self._ledger.block_tokens
        return tokens

    def claim(self, request: int, tokens: int) -> int:
        """Let `request` become resident with `tokens` cached tokens, as `tokens_of` says; of its own, forget the rest.

        The prefix blocks among them are pinned and booked; its own are left for the instance to book.

        Returns
        -------
        int
            How many free blocks this takes: those booked here and its own. 0 for one that is resident.
        """
        if request in self._pinned:
            return 0
        path = self._path(request)
        count = min(tokens // self._tokens, self._cached(path))
        claimed = sum(self._pin(block) for block in path[:count])
        self.duplicate_tokens += count * self._tokens - claimed * self._ledger.block_tokens
        self._pinned[request] = count
        own = (tokens - count * self._tokens) // self._ledger.block_tokens
        self._empty += self._forget(request) - own
        return claimed + own

    def publish(self, request: int, tokens: int) -> None:
        """Cache the prefix blocks of a resident `request` that has `tokens` cached; its copies of others' are freed."""
        count, path = self._pinned[request], self._path(request)
        full = min(tokens // self._tokens, len(path))
        for block in path[count:full]:
            self._ledger.held[request] -= self._run
            if block in self._pins:
                # Another one's block, and if it was idle, as free as the copy becomes.
                self._ledger.shrink(self._run)
                self._empty += self._run
                if not self._pin(block):
                    self.duplicate_tokens += self._tokens
            else:
                self._pins[block] = 1
                self.pinned_blocks += self._run
                if block == path[0]:
                    self._firsts.add(block)
                    self._report(block, True)
        if full > count:
            self._pinned[request] = full

    def leave(self, request: int, blocks: int) -> None:
        """Let a resident `request` go, which gave its own `blocks` back to the ledger."""
        self._empty += blocks
        self._unpin(request)

    def keep(self, request: int, tokens: int, blocks: int) -> None:
        """The same for a preempted request, with `tokens` of its own cached in its `blocks`, to be found by it only."""
        full = tokens // self._ledger.block_tokens
        if full:
            self._tail_start[request] = self.shared_tokens(request)
            self._idle[~request] = full
            self._idle_blocks += full
        self._empty += blocks - full
        self._unpin(request)

    def blocks_before_loss(self) -> int:
        """Free blocks that can be taken before a prefix block is lost."""
        blocks = self._empty
        for key, held in self._idle.items():
            if key >= 0:
                break
            blocks += held
        return blocks

    def take(self, blocks: int) -> None:
        """Use up `blocks` free blocks that were booked in the ledger: empty ones first, then what is idle."""
        self._empty -= blocks
        idle = self._idle
        while self._empty < 0:
            key, held = idle.popitem(last=False)
            if key >= 0:
                del self._pins[key]
                if key in self._firsts:
                    self._firsts.remove(key)
                    self._report(key, False)
            elif held + self._empty > 0:
                idle[key] = held + self._empty
                idle.move_to_end(key, last=False)
                held = -self._empty
            else:
                del self._tail_start[~key]
            self._idle_blocks -= held
            self._empty += held

    def lose(self) -> None:
        """Report that everything is gone; the cache must not be used any more."""
        for block in self._firsts:
            self._report(block, False)

    def check_integrity(self, free_blocks: int) -> None:
        """Assert that pins, idle blocks and empty ones add up, and that what is cached of a prompt is a prefix."""
        assert self._empty >= 0
        assert self._idle_blocks == sum(self._idle.values()), "idle blocks miscounted"
        assert self._empty + self._idle_blocks == free_blocks, "free blocks miscounted"
        pins = dict.fromkeys(self._pins, 0)
        for request, count in self._pinned.items():
            for block in self._path(request)[:count]:
                pins[block] += 1
        assert pins == self._pins, "pins miscounted"
        assert self._firsts <= pins.keys()
        assert {key for key in self._idle if key >= 0} == {block for block, count in pins.items() if not count}
        assert self.pinned_blocks == self._run * sum(1 for count in pins.values() if count)
        shared = sum(map(self.shared_tokens, self._pinned))
        assert self.duplicate_tokens == shared - self.pinned_blocks * self._ledger.block_tokens
        assert {~key for key in self._idle if key < 0} == self._tail_start.keys()

    def _cached(self, path: Sequence[int]) -> int:
        """How many blocks of a path are cached: always its first ones."""
        return bisect_left(path, True, key=lambda block: block not in self._pins)

    def _pin(self, block: int) -> int:
        """Pin a cached block; returns the ledger blocks booked for it, 0 if others pin it already."""
        self._pins[block] += 1
        if self._pins[block] > 1:
            return 0
        run = self._idle.pop(block)
        self._idle_blocks -= run
        self.pinned_blocks += run
        self._ledger.grow(run)
        return run

    def _unpin(self, request: int) -> None:
        """Take the pins of `request` away, the last block first, so that it is taken first."""
        run, pins, freed = self._run, self._pins, 0
        count = self._pinned.pop(request)
        for block in reversed(self._path(request)[:count]):
            pins[block] -= 1
            if not pins[block]:
                self._idle[block] = run
                freed += run
        self._idle_blocks += freed
        self.pinned_blocks -= freed
        self.duplicate_tokens -= count * self._tokens - freed * self._ledger.block_tokens
        self._ledger.shrink(freed)

    def _forget(self, request: int) -> int:
        """Take the tail of `request` out of what is idle; returns its blocks."""
        blocks = self._idle.pop(~request, 0)
        self._idle_blocks -= blocks
        self._tail_start.pop(request, None)
        return blocks
