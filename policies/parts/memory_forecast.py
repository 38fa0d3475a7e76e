"""Predicted KV memory of every instance over a horizon, in whole blocks: who would overflow, who has room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orsched.errors import InputError
from orsched.work import Floats


def blocks_of(
    context_tokens: ArrayLike, remaining_tokens: ArrayLike, ahead: Floats, step: int, block_tokens: int
) -> Floats:
    """KV blocks that each request holds at most in each interval ``[h, h + step)`` of the iterations ahead.

    A request with ``c`` tokens of context and ``r`` to come takes part in iterations ``0 .. ceil(r) - 1`` from now;
    after the ``t``-th it has cached ``c + t + 1``, and its last token is never cached beyond that. So over the interval
    it holds at most ``min(c + h + step, c + ceil(r))`` tokens, in whole blocks, and nothing from ``h >= r`` on.

    Parameters
    ----------
    context_tokens, remaining_tokens : array_like
        Of ``r`` requests, shape ``(r,)``, possibly empty; what remains may be infinite.
    ahead : ndarray of float64
        Starts of the intervals, iterations ahead; shape ``(h,)``.
    step : int
        Length of each interval, iterations.
    block_tokens : int
        Tokens in a block.

    Returns
    -------
    ndarray of float64
        Whole numbers, shape ``(r, h)``.
    """
    context = np.asarray(context_tokens, dtype=np.float64).reshape(-1, 1)
    remaining = np.asarray(remaining_tokens, dtype=np.float64).reshape(-1, 1)
    tokens = context + np.minimum(ahead + step, np.ceil(remaining))
    return np.where(remaining > ahead, np.ceil(tokens / block_tokens), 0.0)


class MemoryForecast:
    """Predicted KV blocks of instances of equal size; every iteration of the horizon is covered, not its steps only.

    It holds if predictions do, nobody else comes, and instances advance in step.

    Parameters
    ----------
    blocks : array_like
        Shape ``(n, h)``: one row per instance, the sum of its residents' `blocks_of`. Copied.
    capacity_blocks : int
        Of each instance.

    Attributes
    ----------
    blocks : ndarray of float64
        After the moves so far.

    Raises
    ------
    InputError
        When there is no instance or no interval.
    """

    __slots__ = ("_capacity", "blocks")

    def __init__(self, blocks: ArrayLike, capacity_blocks: int) -> None:
        self.blocks: Floats = np.array(blocks, dtype=np.float64)
        if self.blocks.ndim != 2 or not self.blocks.size:
            raise InputError(f"blocks of shape {self.blocks.shape}: need (n, h), both at least 1")
        self._capacity = capacity_blocks

    def overflows(self) -> NDArray[np.bool_]:
        """Whether each instance would hold more than it has at some point; shape ``(n,)``."""
        return np.asarray(self.blocks.max(axis=1) > self._capacity)

    def fits(self, targets: Sequence[int], request_blocks: Floats) -> NDArray[np.bool_]:
        """Whether each request, ``(r, h)``, alone, fits on each of ``k`` instances at all times; shape ``(r, k)``."""
        room = self._capacity - self.blocks[targets]
        return np.asarray((request_blocks[:, None, :] <= room[None, :, :]).all(axis=-1))

    def move(self, source: int, target: int, request_blocks: Floats) -> None:
        """Count a request's blocks, shape ``(h,)``, at `target` instead of `source`."""
        self.blocks[source] -= request_blocks
        self.blocks[target] += request_blocks
