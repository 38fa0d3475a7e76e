"""A batch with a small F: the smallest requests among those below some quantile of the output lengths."""

from __future__ import annotations

import numpy as np

from orsched.work import Ints

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Quantiles of the output lengths that are tried (ours)."""


def quantile_greedy(sizes: Ints, outputs: Ints, capacity: int, levels: tuple[float, ...] = LEVELS) -> list[int]:
    """Select by greedy packing below each of several quantiles, the best of all; ``O(len(levels) n log n)``.

    For each level: requests of at most that quantile of the output lengths, by increasing size, as many of them as
    makes F least while they fit. The same with all requests by increasing output length.

    Parameters
    ----------
    sizes, outputs, capacity
        See `policies.sorted_f.Select`.
    levels : tuple of float
        Quantiles, from 0 to 1.

    Notes
    -----
    arXiv 2508.06133 names a quantile greedy selection; its details are unknown to us, these are ours.
    """
    by_size = np.lexsort((outputs, sizes))
    by_output = np.lexsort((sizes, outputs))
    ranks = [max(0, int(np.ceil(level * len(sizes))) - 1) for level in levels]
    limits = outputs[by_output[ranks]]
    orders = np.vstack([by_output, np.broadcast_to(by_size, (len(limits), len(sizes)))])
    taken = np.vstack([np.ones_like(by_output), outputs[by_size] <= limits[:, None]])
    used = np.cumsum(taken * sizes[orders], axis=1)
    value = np.cumsum(taken * outputs[orders], axis=1) / np.maximum(np.cumsum(taken, axis=1), 1) ** 2
    value[(taken == 0) | (used > capacity)] = np.inf
    row, last = np.unravel_index(int(np.argmin(value)), value.shape)
    return [int(i) for i in orders[row, : last + 1][taken[row, : last + 1] > 0]]
