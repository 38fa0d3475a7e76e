"""How a cap on the requests in service becomes integer thresholds of WAIT and Nested WAIT.

A request of ``o`` output tokens passes through ``ceil(o / g)`` stages of ``g`` iterations. With ``n`` entries a stage,
``n`` times the mean number of stages of a request are in service on average; where all lengths of a class are the
same, never more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from orsched.errors import InputError
from orsched.work import Ints

ROUNDING = 1e-9


def known_lengths(cap: int, outputs: Sequence[Ints]) -> tuple[tuple[int, ...], int]:
    """Thresholds of WAIT that put at most `cap` requests in service on average.

    ``n_j = c p_j / sum_i p_i stages_i``, with ``p_j`` the share of class j, rounded down and at least 1, with the
    largest ``c <= cap`` that suffices: the rule in the authors' code, proportional to the fluid ``n_j* = lambda_j
    Delta*``. Where one entry a stage is too much already, stages last several iterations (ours), as few as suffice.

    Parameters
    ----------
    cap : int
        Most requests in service.
    outputs : sequence of ndarray of int64
        Output tokens of the requests of each class, as often as they come.

    Returns
    -------
    (tuple of int, int)
        One threshold per class, and iterations per stage.

    Raises
    ------
    InputError
        When there are more classes than places.
    """
    shares = np.array([len(own) for own in outputs]) / sum(map(len, outputs))
    for length in range(1, max(int(own.max()) for own in outputs) + 1):
        stages = np.array([np.ceil(own / length).mean() for own in outputs])
        for scale in range(cap, 0, -1) if stages.sum() <= cap + ROUNDING else ():
            thresholds = np.maximum(1, np.floor(scale * shares / (shares @ stages) + ROUNDING))
            if thresholds @ stages <= cap + ROUNDING:
                return tuple(int(n) for n in thresholds), length
    raise InputError(f"cap {cap}: WAIT needs a place for each of {len(outputs)} classes")


def nested(cap: int, cuts: Sequence[int], decodes: Ints) -> tuple[tuple[int, ...], int]:
    """Thresholds of Nested WAIT that put at most `cap` requests in service on average.

    ``n_1`` is the largest that suffices, and ``n_k`` the least whole number above ``p_k n_{k-1}``, at most ``n_{k-1}``:
    the theorem asks for ``n_k / n_{k-1} > p_k``, with ``p_k`` the share of those in segment k - 1 that go on. Where one
    entry a stage is too much already, stages last several iterations (ours), as few as suffice.

    Parameters
    ----------
    cap : int
        Most requests in service, those that wait between segments not counted.
    cuts : sequence of int
        Last decode iteration of each segment; the last is the longest of `decodes`.
    decodes : ndarray of int64
        Decode iterations of requests, as often as they come.

    Raises
    ------
    InputError
        When no length of a stage divides the segments and fits the cap.
    """
    edges = (-1, *cuts)
    entering = [decodes[decodes > before] for before in edges[:-1]]
    survival = [len(after) / len(before) for before, after in pairwise(entering)]
    common = math.gcd(*(after - before for before, after in pairwise(edges)))
    for length in (divisor for divisor in range(1, common + 1) if common % divisor == 0):
        stages = [
            float(np.ceil((np.minimum(own, after) - before) / length).mean())
            for own, (before, after) in zip(entering, pairwise(edges), strict=True)
        ]
        if sum(stages) <= cap + ROUNDING:
            return _largest(cap, stages, survival), length
    raise InputError(f"cap {cap}: Nested WAIT needs {sum(stages):.4g} places with cuts {tuple(cuts)}")


def _largest(cap: int, stages: Sequence[float], survival: Sequence[float]) -> tuple[int, ...]:
    fits = (1,) * len(stages)
    for first in range(2, cap + 1):
        thresholds = [first]
        for share in survival:
            thresholds.append(min(thresholds[-1], math.floor(share * thresholds[-1] + ROUNDING) + 1))
        if sum(n * count for n, count in zip(thresholds, stages, strict=True)) > cap + ROUNDING:
            break
        fits = tuple(thresholds)
    return fits
