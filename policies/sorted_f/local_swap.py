"""A batch with a small F: start somewhere, and exchange requests for as long as that helps."""

from __future__ import annotations

import numpy as np

from orsched.work import Ints
from policies.sorted_f.quantile_greedy import quantile_greedy

MOST_MOVES = 200
"""Improvements of one batch (ours); each lowers F, so that the search would end without a limit too."""


def local_swap(sizes: Ints, outputs: Ints, capacity: int) -> list[int]:
    """Select by `quantile_greedy` and improve that by swaps.

    Notes
    -----
    arXiv 2508.06133 names a local swap search; its start, its moves and their order are unknown to us, these are ours.
    """
    return improved(sizes, outputs, capacity, quantile_greedy(sizes, outputs, capacity))


def improved(sizes: Ints, outputs: Ints, capacity: int, batch: list[int], most_moves: int = MOST_MOVES) -> list[int]:
    """Improve a batch by the best single move, over and over.

    Moves are: drop a request, add one, exchange one of the batch for one outside. ``O(|X| (n - |X|))`` a move.

    Parameters
    ----------
    sizes, outputs, capacity
        See `policies.sorted_f.Select`.
    batch : list of int
        Where to start; it fits.
    most_moves : int
        Moves made at most.

    Returns
    -------
    list of int
        A batch that fits, with an F no larger than that of `batch`.
    """
    inside = np.zeros(len(sizes), dtype=np.bool_)
    inside[batch] = True
    for _ in range(most_moves):
        members, others = np.flatnonzero(inside), np.flatnonzero(~inside)
        count, total = len(members), int(outputs[members].sum())
        free = capacity - int(sizes[members].sum())
        value, out, into = total / count**2, -1, -1
        if count > 1:
            longest = int(members[np.argmax(outputs[members])])
            dropped = (total - int(outputs[longest])) / (count - 1) ** 2
            if dropped < value:
                value, out, into = dropped, longest, -1
        fitting = others[sizes[others] <= free]
        if len(fitting):
            shortest = int(fitting[np.argmin(outputs[fitting])])
            added = (total + int(outputs[shortest])) / (count + 1) ** 2
            if added < value:
                value, out, into = added, -1, shortest
        if len(others):
            change = outputs[others] - outputs[members][:, None]
            change = np.where(sizes[others] - sizes[members][:, None] <= free, change, 0)
            row, column = np.unravel_index(int(np.argmin(change)), change.shape)
            if (total + int(change[row, column])) / count**2 < value:
                out, into = int(members[row]), int(others[column])
        if out == into == -1:
            break
        if out >= 0:
            inside[out] = False
        if into >= 0:
            inside[into] = True
    return [int(i) for i in np.flatnonzero(inside)]
