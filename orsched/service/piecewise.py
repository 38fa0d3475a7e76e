"""Continuous, non-decreasing piecewise-linear functions, summed along arithmetic progressions."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from orsched.errors import InputError


class PiecewiseLinear:
    """``f(x) = intercepts[p] + slopes[p] x`` on the piece ``p`` that holds ``x``, for ``x >= 0``.

    Parameters
    ----------
    intercepts : sequence of float
        One per piece.
    slopes : sequence of float
        One per piece, non-negative.
    breaks : sequence of float
        The ``len(slopes) - 1`` increasing points where pieces meet.
    """

    __slots__ = ("breaks", "intercepts", "slopes")

    def __init__(self, intercepts: Sequence[float], slopes: Sequence[float], breaks: Sequence[float] = ()) -> None:
        if len(intercepts) != len(slopes) or len(breaks) != len(slopes) - 1:
            raise InputError("PiecewiseLinear needs as many intercepts as slopes and one break fewer")
        if min(slopes) < 0 or any(b <= a for a, b in pairwise(breaks)):
            raise InputError("PiecewiseLinear needs slopes >= 0 and increasing breaks")
        self.intercepts = tuple(map(float, intercepts))
        self.slopes = tuple(map(float, slopes))
        self.breaks = tuple(map(float, breaks))

    def __call__(self, x: float) -> float:
        """Value at `x`."""
        p = bisect_right(self.breaks, x)
        return self.intercepts[p] + self.slopes[p] * x

    def total(self, x0: float, step: float, count: int) -> float:
        """``sum_{n < count} f(x0 + n step)``, in time O(pieces). `step` >= 0."""
        if not self.breaks:
            slope = self.slopes[0]
            return count * (self.intercepts[0] + slope * (x0 + 0.5 * step * (count - 1)))
        total, done = 0.0, 0
        while done < count:
            run, value, slope = self.run_from(x0 + done * step, step, count - done)
            total += run * (value + 0.5 * slope * (run - 1))
            done += run
        return total

    def run_from(self, x: float, step: float, count: int) -> tuple[int, float, float]:
        """Longest run of at most `count` terms from `x` on one piece.

        Returns
        -------
        run : int
            Number of terms, at least 1.
        value : float
            The first term.
        slope : float
            What each next term of the run adds.
        """
        if not self.breaks:
            return count, self.intercepts[0] + self.slopes[0] * x, self.slopes[0] * step
        p = bisect_right(self.breaks, x)
        run = count
        if step > 0 and p < len(self.breaks):
            run = min(count, max(1, math.ceil((self.breaks[p] - x) / step)))
        return run, self.intercepts[p] + self.slopes[p] * x, self.slopes[p] * step

    def count_to_reach(
        self, x0: float, step: float, count: int, elapsed: float, snap: float = 0.0
    ) -> tuple[int, float]:
        """Smallest ``k`` in ``1..count`` whose `total` is at least `elapsed`, and that total.

        A total that falls short by no more than `snap` times the first term counts as reached.

        This is an arrival's view of an epoch: the end of the iteration in flight at `elapsed` seconds
        after its start. Returns `count` when the whole sum is shorter than `elapsed`.
        """
        elapsed -= snap * self(x0)
        if not self.breaks:
            slope = self.slopes[0]
            return _terms_to_reach(self.intercepts[0] + slope * x0, slope * step, count, elapsed)
        total, done = 0.0, 0
        while done < count and (total < elapsed or not done):
            run, value, slope = self.run_from(x0 + done * step, step, count - done)
            k, piece = _terms_to_reach(value, slope, run, elapsed - total)
            total += piece
            done += k
        return done, total


def _terms_to_reach(value: float, slope: float, most: int, target: float) -> tuple[int, float]:
    """Smallest ``k`` in ``1..most`` with ``k value + slope k (k - 1) / 2 >= target`` (or `most`), and that sum."""
    if target <= value:
        return 1, value
    half = 0.5 * slope
    lead = value - half
    estimate = 2 * target / (lead + math.sqrt(lead * lead + 4 * half * target))
    k = min(most, math.ceil(estimate))
    total = k * (value + half * (k - 1))
    if total < target and k < most:
        k += 1
    elif k > 1 and (k - 1) * (value + half * (k - 2)) >= target:
        k -= 1
    else:
        return k, total
    return k, k * (value + half * (k - 1))
