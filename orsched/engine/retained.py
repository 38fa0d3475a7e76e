"""Free KV blocks in the order in which they will be taken, and what preempted requests still have in them."""

from __future__ import annotations

from collections import deque


class RetainedKV:
    """The queue of free blocks of an instance that keeps the KV of preempted requests until it is overwritten.

    Blocks freed first are taken first. A request gives back its last block before its first, so what is left of it
    is always a prefix. Runs of blocks are kept together: every operation costs O(1), amortised, but for `tokens_of`
    after `taken` blocks, which looks at as many runs as those blocks are in.

    Parameters
    ----------
    capacity_blocks : int
        Blocks of the instance, all free at first.
    block_tokens : int
        Tokens in a block; a block that is not full cannot be used again.
    """

    __slots__ = ("_block_tokens", "_kept", "_queue")

    def __init__(self, capacity_blocks: int, block_tokens: int) -> None:
        self._block_tokens = block_tokens
        self._queue: deque[list[int]] = deque([[_NOBODY, capacity_blocks]])
        self._kept: dict[int, list[int]] = {}

    def __contains__(self, request: int) -> bool:
        return request in self._kept

    def free(self, blocks: int) -> None:
        """Append blocks that nobody will ask for again."""
        queue = self._queue
        if queue and queue[-1][0] == _NOBODY:
            queue[-1][1] += blocks
        elif blocks:
            queue.append([_NOBODY, blocks])

    def keep(self, request: int, tokens: int, blocks: int) -> None:
        """Append the `blocks` of a preempted request that has `tokens` tokens cached in them."""
        full = tokens // self._block_tokens
        self.free(blocks - full)
        if full:
            self._kept[request] = run = [request, full]
            self._queue.append(run)

    def take(self, blocks: int) -> None:
        """Use up `blocks` free blocks, and what was kept in them."""
        queue = self._queue
        while blocks:
            run = queue[0]
            if run[1] > blocks:
                run[1] -= blocks
                return
            blocks -= run[1]
            queue.popleft()
            self._kept.pop(run[0], None)

    def tokens_of(self, request: int, most: int, taken: int = 0) -> int:
        """Tokens of `request` still cached once `taken` more blocks are taken, in whole blocks and at most `most`.

        `request` must be one of those kept.
        """
        run = self._kept[request]
        for other in self._queue:
            if other is run or taken <= 0:
                break
            taken -= other[1]
        return self._block_tokens * min(max(run[1] - max(taken, 0), 0), most // self._block_tokens)

    def claim(self, request: int, tokens: int) -> int:
        """Hand `tokens` cached tokens back to `request` and forget the rest; returns their blocks."""
        run = self._kept.pop(request, None)
        if run is None:
            return 0
        blocks = tokens // self._block_tokens
        run[0] = _NOBODY
        run[1] -= blocks
        return blocks

    def check_integrity(self, free_blocks: int) -> None:
        """Assert that the queue holds all free blocks and that every run kept is in it."""
        assert sum(blocks for _, blocks in self._queue) == free_blocks, "free blocks miscounted"
        owned = {owner: run for run in self._queue if (owner := run[0]) != _NOBODY}
        assert owned == self._kept, "a preempted request's blocks are in the wrong place"


_NOBODY = -1
