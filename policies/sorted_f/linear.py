"""A batch with a small F from linear programmes, one for each number of requests."""

from __future__ import annotations

import numpy as np

from orsched.work import Ints
from policies.sorted_f.local_swap import improved


def lp_rounding(sizes: Ints, outputs: Ints, capacity: int) -> list[int]:
    """Select by rounding the linear relaxation for every number of requests, the best of all.

    For each k: least ``sum o x`` with ``sum x >= k``, ``sum size x <= capacity``, ``0 <= x <= 1``. Two variables at
    most are fractional. The requests are taken by decreasing x while they fit. One programme for each k up to the most
    that fit, some milliseconds each: for studies offline.

    Notes
    -----
    arXiv 2508.06133 names Sorted-LP; what its programme relaxes is unknown to us, this one is ours.
    """
    from fluid.programme import LinearProgramme, solve

    most = int(np.searchsorted(np.cumsum(np.sort(sizes)), capacity, side="right"))
    rows = np.array([-np.ones(len(sizes)), sizes])
    best, least = [int(np.argmin(outputs))], float(outputs.min())
    for count in range(1, most + 1):
        found = solve(
            LinearProgramme(
                -outputs.astype(float),
                rows,
                np.array([-count, capacity], dtype=float),
                np.ones(len(sizes)),
                ("requests", "memory"),
            )
        )
        assert found.primal is not None, "so many of the smallest requests fit"
        order = np.lexsort((outputs, -np.round(found.primal, 9)))[:count]
        batch = order[: int(np.searchsorted(np.cumsum(sizes[order]), capacity, side="right"))]
        if len(batch) and outputs[batch].sum() / len(batch) ** 2 < least:
            least, best = outputs[batch].sum() / len(batch) ** 2, [int(i) for i in batch]
    return best


def lp_swap(sizes: Ints, outputs: Ints, capacity: int) -> list[int]:
    """Select by `lp_rounding` and improve that by swaps (`policies.sorted_f.local_swap.improved`).

    Notes
    -----
    arXiv 2508.06133 names LP-Swap; its details are unknown to us, these are ours.
    """
    return improved(sizes, outputs, capacity, lp_rounding(sizes, outputs, capacity))
