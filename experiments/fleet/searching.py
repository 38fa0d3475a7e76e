"""The largest rate at which a policy keeps an attainment level."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bracket:
    """Where an edge is: something is kept at `low` and not at `high`.

    Parameters
    ----------
    low : float
        0 when it was not kept anywhere that was looked.
    high : float
        Infinite when it was kept at all of it.
    """

    low: float
    high: float

    @property
    def closed(self) -> bool:
        """Whether the edge is within the range of the search, so that `low` is an estimate of it."""
        return self.low > 0 and math.isfinite(self.high)

    def times(self, factor: float) -> Bracket:
        """The bracket of `factor` times the edge."""
        return Bracket(self.low * factor, self.high * factor)


def largest_kept(kept: Callable[[float], bool], least: float, most: float, tolerance: float) -> Bracket:
    """Search the largest multiple of a rate at which something is kept, by bisection of its logarithm.

    If it is kept below some multiple and not above it, the bracket is around this multiple. Otherwise it is around
    one of the multiples up to which it is kept and soon after which it is not.

    Parameters
    ----------
    kept : callable
        ``kept(multiple) -> bool``.
    least, most : float
        Where to search, ``0 < least < most``.
    tolerance : float
        Relative width of the bracket, in (0, 1).

    Returns
    -------
    Bracket
        Open above when it is kept at `most`, open below when it is not kept at `least`.
    """
    if kept(most):
        return Bracket(most, math.inf)
    if not kept(least):
        return Bracket(0.0, least)
    low, high = least, most
    while high > low * (1 + tolerance):
        middle = (low * high) ** 0.5
        if kept(middle):
            low = middle
        else:
            high = middle
    return Bracket(low, high)
