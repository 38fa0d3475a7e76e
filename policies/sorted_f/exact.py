"""The batch with the least F, by dynamic programming over how many requests and how much memory."""

from __future__ import annotations

import numpy as np

from orsched.errors import InputError
from orsched.work import Ints

MOST_CELLS = 50_000_000
"""Largest table, ``requests x (largest batch + 1) x (capacity + 1)`` cells of a byte each."""


def exact(sizes: Ints, outputs: Ints, capacity: int) -> list[int]:
    """Select the batch with the least F; of several the largest.

    For every number of requests the least sum of output lengths that fits: ``O(n K M)`` time and memory with K the
    most requests that fit.

    Raises
    ------
    InputError
        When the table would have more than `MOST_CELLS` cells.

    Notes
    -----
    A dynamic programme for small instances is named in arXiv 2508.06133; this one is ours.
    """
    n = len(sizes)
    capacity = min(capacity, int(sizes.sum()))
    most = int(np.searchsorted(np.cumsum(np.sort(sizes)), capacity, side="right"))
    cells = n * (most + 1) * (capacity + 1)
    if cells > MOST_CELLS:
        raise InputError(
            f"exact Sorted-F: {n} requests, up to {most} in a batch, {capacity} units of memory make a table of "
            f"{cells} cells, at most {MOST_CELLS}; use local_swap or quantile_greedy"
        )
    least = np.full((most + 1, capacity + 1), np.inf)
    least[0] = 0
    taken = np.zeros((n, most + 1, capacity + 1), dtype=np.bool_)
    for i, (size, output) in enumerate(zip(sizes.tolist(), outputs.tolist(), strict=True)):
        with_it = least[:-1, : capacity + 1 - size] + output
        taken[i, 1:, size:] = with_it < least[1:, size:]
        least[1:, size:] = np.minimum(least[1:, size:], with_it)
    count = np.arange(1, most + 1)
    value = least[1:, capacity] / count**2
    k = int(count[np.flatnonzero(value == value.min())[-1]])
    chosen = []
    for i in range(n - 1, -1, -1):
        if taken[i, k, capacity]:
            chosen.append(i)
            k, capacity = k - 1, capacity - int(sizes[i])
    return chosen
