"""How a cap on the requests in service becomes integer thresholds of WAIT and Nested WAIT."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from orsched.errors import InputError


def known_lengths(cap: int, shares: Sequence[float], iterations: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Thresholds of WAIT whose stages hold at most `cap` requests in all.

    ``n_j = cap p_j / sum_i p_i stages_i``, rounded down and at least 1: the rule in the authors' code, proportional to
    the fluid ``n_j* = lambda_j Delta*``. Where that needs more than `cap` places, because every stage needs one, stages
    last several iterations (ours), as few as suffice.

    Parameters
    ----------
    cap : int
        Most requests in service.
    shares : sequence of float
        Share of the arrivals of each class.
    iterations : sequence of int
        Iterations of its longest request, prefill included.

    Returns
    -------
    (tuple of int, int)
        One threshold per class, and iterations per stage.

    Raises
    ------
    InputError
        When there are more classes than places.
    """
    for length in range(1, max(iterations) + 1):
        stages = [math.ceil(count / length) for count in iterations]
        places = sum(share * count for share, count in zip(shares, stages, strict=True))
        thresholds = tuple(max(1, math.floor(cap * share / places + 1e-9)) for share in shares)
        if sum(n * count for n, count in zip(thresholds, stages, strict=True)) <= cap:
            return thresholds, length
    raise InputError(f"cap {cap}: WAIT needs a place for each of {len(shares)} classes")


def nested(cap: int, cuts: Sequence[int], survival: Sequence[float]) -> tuple[tuple[int, ...], int]:
    """Thresholds of Nested WAIT whose stages hold at most `cap` requests in all.

    ``n_1`` is the largest that fits, and ``n_k`` the least whole number above ``p_k n_{k-1}``, at most ``n_{k-1}``: the
    theorem asks for ``n_k / n_{k-1} > p_k``. Stages last several iterations (ours) where the cap does not allow one
    request in every stage, as few as suffice.

    Parameters
    ----------
    cap : int
        Most requests in service.
    cuts : sequence of int
        Last decode iteration of each segment.
    survival : sequence of float
        ``p_2, ...``: share of those in a segment that go on to the next.

    Raises
    ------
    InputError
        When no length of a stage divides the segments and fits the cap.
    """
    widths = [b - a for a, b in pairwise((-1, *cuts))]
    common = math.gcd(*widths)
    for length in (divisor for divisor in range(1, common + 1) if common % divisor == 0):
        stages = [width // length for width in widths]
        if sum(stages) <= cap:
            return _largest(cap, stages, survival), length
    raise InputError(f"cap {cap}: Nested WAIT needs {sum(widths) // common} places with cuts {tuple(cuts)}")


def _largest(cap: int, stages: Sequence[int], survival: Sequence[float]) -> tuple[int, ...]:
    fits = (1,) * len(stages)
    for first in range(2, cap + 1):
        thresholds = [first]
        for share in survival:
            thresholds.append(min(thresholds[-1], math.floor(share * thresholds[-1] + 1e-9) + 1))
        if sum(n * count for n, count in zip(thresholds, stages, strict=True)) > cap:
            break
        fits = tuple(thresholds)
    return fits
