"""KV memory in future iterations, known when output lengths are."""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


_KEPT = "policies.parts.kv_projection"


class KVProjection:
    """KV blocks that the residents of an instance will hold, by iteration from now on.

    A decoding request takes part in every iteration: with ``c`` tokens cached now it holds ``c + t`` at the end of
    iteration ``t``, and nothing after its last one. The total never falls between two completions, so that it stays
    within the capacity if it does in the iterations in which somebody completes. A request whose prompt is partly
    processed counts with its peak in every iteration: an upper bound, whatever the pace of its chunks. Blocks promised
    to requests that do not run here (`InstanceView.promised_blocks`) count as they are, in every iteration.

    Parameters
    ----------
    view : InstanceView
        The instance now, every decode taking part in every iteration; needs oracle or predicted information. A request
        that has outlived its prediction counts with one more iteration.

    Notes
    -----
    Checking at completions only: arXiv 2502.07115. Blocks, partly processed prompts and `earliest` are ours. Counted in
    iterations since the start of the run, a resident's last iteration and its tokens less the iteration do not change,
    nor does the load when the last of somebody ends, until somebody starts or leaves before. So it can be kept (`of`).
    """

    __slots__ = ("_bases", "_block_tokens", "_capacity", "_ends", "_load", "_now", "_residents", "_seen")

    def __init__(self, view: InstanceView) -> None:
        self._block_tokens = bisect_right(range(1, view.context_tokens + 1), 1, key=view.blocks_for)
        self._capacity = view.capacity_blocks - view.promised_blocks
        self._seen = len(view.arrived)
        self._now = view.iterations
        self._residents: dict[int, tuple[int, int]] = {}
        for request in view.running:
            if request in view.prefilling:
                self.hold(_peak_tokens(view, request))
            else:
                self._residents[request] = self._end_and_base(view, request)
        ordered = sorted(self._residents.values())
        ends, bases = np.array(ordered, dtype=np.int64).reshape(-1, 2).T
        blocks = -(-(bases + ends[:, None]) // self._block_tokens)
        self._ends: list[int] = ends.tolist()
        self._bases: list[int] = bases.tolist()
        self._load: list[int] = np.sum((ends >= ends[:, None]) * blocks, axis=1).tolist()

    @classmethod
    def of(cls, view: InstanceView) -> KVProjection:
        """The projection that `view.memo` keeps, brought up to date: work for what changed only.

        For policies that process whole prompts and tell it of each one they `start`. A resident that has outlived its
        prediction is left out: it counts in the next iteration only, which `InstanceView.growth_blocks` prices.
        """
        kept: KVProjection | None = view.memo.get(_KEPT)
        if kept is None:
            kept = view.memo[_KEPT] = cls(view)
        else:
            kept._follow(view)
        return kept

    def fits(self, prompt_tokens: int, iterations: int) -> bool:
        """Whether a request can start: its whole prompt is processed next, in the first of its `iterations`."""
        after = bisect_right(self._ends, self._now + iterations)
        # Until its own end nobody holds more than at these ends, and that usually settles it.
        most = max(self._load[: after + 1], default=0)
        if most + self._blocks(prompt_tokens - 1 + iterations) <= self._capacity:
            return True
        return self._next_start(prompt_tokens, iterations, 0) == 0

    def start(self, request: int, prompt_tokens: int, iterations: int) -> None:
        """Count that request among the residents."""
        self._count_in(request, self._now + iterations, prompt_tokens - 1 - self._now)

    def _count_in(self, request: int, end: int, base: int) -> None:
        self._residents[request] = (end, base)
        before = bisect_right(self._ends, end)
        own = self._load_at(end) + self._blocks(base + end)
        self._change(before, base, 1)
        self._ends.insert(before, end)
        self._bases.insert(before, base)
        self._load.insert(before, own)

    def fits_held(self, peak_tokens: int) -> bool:
        """Whether `peak_tokens` more are free in every future iteration."""
        return max(self._load, default=0) + self._blocks(peak_tokens) <= self._capacity

    def hold(self, peak_tokens: int) -> None:
        """Set `peak_tokens` aside in every future iteration, for a prompt that takes several."""
        self._capacity -= self._blocks(peak_tokens)

    def earliest(self, prompt_tokens: int, iterations: int) -> int:
        """Iterations until such a request fits if nobody else starts, at most until the next completion."""
        if not self._ends:
            return sys.maxsize
        first_end = self._ends[0] - self._now
        delay = 0
        while delay < first_end:
            start = self._next_start(prompt_tokens, iterations, delay)
            if start == delay:
                return delay
            delay = start
        return first_end

    def _next_start(self, prompt_tokens: int, iterations: int, delay: int) -> int:
        """`delay` if a start after so many iterations fits; otherwise a later one, before which none fits."""
        begin = self._now + delay
        last = begin + iterations
        ends, load = self._ends, self._load
        low, high = bisect_right(ends, begin), bisect_right(ends, last)
        late = 0
        for k in range(low, high):
            room = (self._capacity - load[k]) * self._block_tokens
            left = ends[k] - begin
            # A later start is shorter at a given completion, and gone from the check once it starts after it.
            late = max(late, min(prompt_tokens - 1 + left - room, left))
        if late > 0:
            return delay + late
        if self._load_at(last) + self._blocks(prompt_tokens - 1 + iterations) <= self._capacity:
            return delay
        # Its own end collides, and so does any until the next completion: the load only grows until then.
        after = bisect_left(ends, last)
        return delay + (ends[after] if after < len(ends) else last) + 1 - last

    def _follow(self, view: InstanceView) -> None:
        self._now = now = view.iterations
        self._capacity = view.capacity_blocks - view.promised_blocks
        over = bisect_right(self._ends, now)
        del self._ends[:over], self._bases[:over], self._load[:over]
        for request in view.arrived[self._seen :]:
            if request in view.running:
                self._leave(request)
                self._count_in(request, *self._end_and_base(view, request))
        self._seen = len(view.arrived)
        if len(self._residents) != view.num_running:
            for request in self._residents.keys() - view.running:
                self._leave(request)

    def _end_and_base(self, view: InstanceView, request: int) -> tuple[int, int]:
        """Last iteration of a decoding request, and its tokens less the iteration."""
        base = view.cached_tokens(request) - self._now
        return _peak_tokens(view, request) - base, base

    def _leave(self, request: int) -> None:
        """Take a request out, if it is in, whether or not its end has come."""
        end, base = self._residents.pop(request, (self._now, 0))
        if end <= self._now:
            return
        place = self._bases.index(base, bisect_left(self._ends, end))
        del self._ends[place], self._bases[place], self._load[place]
        self._change(bisect_right(self._ends, end), base, -1)

    def _change(self, before: int, base: int, sign: int) -> None:
        """Add or take away what a request of `base` holds at the first `before` ends."""
        block, ends = self._block_tokens, self._ends
        self._load[:before] = [
            load - sign * (-(base + end) // block) for load, end in zip(self._load[:before], ends, strict=False)
        ]

    def _load_at(self, iteration: int) -> int:
        block = self._block_tokens
        return -sum([-(base + iteration) // block for base in self._bases[bisect_left(self._ends, iteration) :]])

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self._block_tokens)


def _peak_tokens(view: InstanceView, request: int) -> int:
    """KV tokens a resident holds at its end by the output length that is known."""
    return view.input_tokens(request) + view.output_tokens(request) - 1
