"""KV memory in future iterations, known when output lengths are."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from orsched.work import Ints

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


class KVProjection:
    """KV blocks that the residents of an instance will hold, by iteration from now on.

    A decoding request takes part in every iteration: with ``c`` tokens cached now it holds ``c + t`` at the end of
    iteration ``t``, and nothing after its last one. The total never falls between two completions, so that it stays
    within the capacity if it does in the iterations in which somebody completes. A request whose prompt is partly
    processed counts with its peak in every iteration: an upper bound, whatever the pace of its chunks.

    Parameters
    ----------
    view : InstanceView
        The instance now, every decode taking part in every iteration; needs oracle information.

    Notes
    -----
    Checking at completions only: arXiv 2502.07115. Blocks, partly processed prompts and `earliest` are ours.
    """

    __slots__ = ("_block_tokens", "_cached", "_capacity", "_ends", "_load")

    def __init__(self, view: InstanceView) -> None:
        self._block_tokens = bisect_right(range(1, view.context_tokens + 1), 1, key=view.blocks_for)
        self._capacity = view.capacity_blocks
        cached, left = [], []
        for request in view.running:
            peak = view.input_tokens(request) + view.output_tokens(request) - 1
            if request in view.prefilling:
                self.hold(peak)
            else:
                tokens = view.cached_tokens(request)
                cached.append(tokens)
                left.append(peak - tokens)
        order = np.argsort(left, kind="stable")
        self._cached: Ints = np.array(cached, dtype=np.int64)[order]
        self._ends: Ints = np.array(left, dtype=np.int64)[order]
        alive = self._ends >= self._ends[:, None]
        self._load: Ints = np.sum(alive * self._blocks(self._cached + self._ends[:, None]), axis=1)

    def fits(self, prompt_tokens: int, iterations: int) -> bool:
        """Whether a request can start: its whole prompt is processed next, in the first of its `iterations`."""
        return self._next_start(prompt_tokens, iterations, 0) == 0

    def start(self, prompt_tokens: int, iterations: int) -> None:
        """Count that request among the residents."""
        before = int(np.searchsorted(self._ends, iterations, side="right"))
        self._load[:before] += self._blocks(prompt_tokens - 1 + self._ends[:before])
        own = self._load_at(iterations) + -(-(prompt_tokens - 1 + iterations) // self._block_tokens)
        self._load = np.insert(self._load, before, own)
        self._ends = np.insert(self._ends, before, iterations)
        self._cached = np.insert(self._cached, before, prompt_tokens - 1)

    def fits_held(self, peak_tokens: int) -> bool:
        """Whether `peak_tokens` more are free in every future iteration."""
        return int(self._load.max(initial=0)) + -(-peak_tokens // self._block_tokens) <= self._capacity

    def hold(self, peak_tokens: int) -> None:
        """Set `peak_tokens` aside in every future iteration, for a prompt that takes several."""
        self._capacity -= -(-peak_tokens // self._block_tokens)

    def earliest(self, prompt_tokens: int, iterations: int) -> int:
        """Iterations until such a request fits if nobody else starts, at most until the next completion."""
        first_end = int(self._ends[0])
        delay = 0
        while delay < first_end:
            start = self._next_start(prompt_tokens, iterations, delay)
            if start == delay:
                return delay
            delay = start
        return first_end

    def _next_start(self, prompt_tokens: int, iterations: int, delay: int) -> int:
        """`delay` if a start after so many iterations fits; otherwise a later one, before which none fits."""
        last = delay + iterations
        low, high = np.searchsorted(self._ends, [delay, last], side="right")
        ends = self._ends[low:high]
        room = (self._capacity - self._load[low:high]) * self._block_tokens
        # A later start is shorter at a given completion, and gone from the check once it starts after it.
        late = np.minimum(prompt_tokens - 1 + ends - delay - room, ends - delay).max(initial=0)
        if late > 0:
            return delay + int(late)
        peak = prompt_tokens - 1 + iterations
        if self._load_at(last) + -(-peak // self._block_tokens) <= self._capacity:
            return delay
        # Its own end collides, and so does any until the next completion: the load only grows until then.
        after = int(np.searchsorted(self._ends, last))
        return (int(self._ends[after]) if after < len(self._ends) else last) + 1 - iterations

    def _load_at(self, iteration: int) -> int:
        alive = int(np.searchsorted(self._ends, iteration))
        return int(self._blocks(self._cached[alive:] + iteration).sum())

    def _blocks(self, tokens: Ints) -> Ints:
        return np.asarray(-(-tokens // self._block_tokens))
