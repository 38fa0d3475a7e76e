"""The largest rate at which a policy keeps an attainment level."""

from __future__ import annotations

from collections.abc import Callable


def largest_kept(kept: Callable[[float], bool], least: float, most: float, tolerance: float) -> float:
    """Search the largest multiple of a rate at which something is kept, by bisection of its logarithm.

    If it is kept below some multiple and not above it, this is that multiple, to a relative `tolerance` from below.
    Otherwise it is one of the multiples up to which it is kept and soon after which it is not.

    Parameters
    ----------
    kept : callable
        ``kept(multiple) -> bool``.
    least, most : float
        Where to search, ``0 < least < most``.
    tolerance : float
        Relative accuracy, in (0, 1).

    Returns
    -------
    float
        `most` when it is kept there; 0 when it is not kept at `least`.
    """
    if kept(most):
        return most
    if not kept(least):
        return 0.0
    low, high = least, most
    while high > low * (1 + tolerance):
        middle = (low * high) ** 0.5
        if kept(middle):
            low = middle
        else:
            high = middle
    return low
