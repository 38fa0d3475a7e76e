"""Goodput: the largest rate at which enough requests are within their objective, on a grid of rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def goodput(rates: Sequence[float], attainments: Sequence[float], level: float) -> float:
    """Largest rate up to which the attainment keeps a level, interpolated linearly between the rates of a grid.

    The last rate when it is kept at all of them, 0 when it is not at the first.
    """
    if attainments[0] < level:
        return 0.0
    for k in range(1, len(rates)):
        high, low = attainments[k - 1], attainments[k]
        if low < level:
            return rates[k - 1] + (rates[k] - rates[k - 1]) * (high - level) / (high - low)
    return rates[-1]


def bracket(kept: Callable[[int], bool], count: int, start: int) -> int:
    """Look for a k with ``kept(k)`` and not ``kept(k + 1)``, of ``0 .. count - 1``: from `start` on, then by bisection.

    -1 when it is not kept at 0 (as far as was looked), ``count - 1`` when at the last. `kept` is asked at both sides of
    the answer, within the grid; if it holds up to some k and nowhere after it, this is that k.
    """
    up = kept(start)
    low, high = (start, count) if up else (-1, start)
    step = 1
    while 0 <= (ahead := start + step if up else start - step) < count and kept(ahead) == up:
        low, high = (ahead, high) if up else (low, ahead)
        step *= 2
    if 0 <= ahead < count:
        low, high = (low, ahead) if up else (ahead, high)
    while high - low > 1:
        middle = (low + high) // 2
        if kept(middle):
            low = middle
        else:
            high = middle
    return low
