"""Piecewise-linear functions of one variable, continuous or not, and the convex functions below them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Segment = tuple[float, float]
"""``(intercept, slope)``."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """``intercept + slope x`` of the segment that holds ``x >= 0``; at a break the segment to its right.

    Parameters
    ----------
    breaks : tuple of float
        Increasing, where segments meet.
    segments : tuple of (float, float)
        One more than breaks.
    """

    breaks: tuple[float, ...]
    segments: tuple[Segment, ...]

    def __call__(self, x: float) -> float:
        """Value at `x`."""
        intercept, slope = self.segments[bisect_right(self.breaks, x)]
        return intercept + slope * x

    def segment(self, x: float) -> Segment:
        """Return the segment that holds `x`."""
        return self.segments[bisect_right(self.breaks, x)]


def upper_envelope(lines: Iterable[Segment]) -> Pieces:
    """Return the maximum of affine functions over ``x >= 0``: convex pieces of increasing slope."""
    lines = sorted(set(lines), key=lambda line: (line[1], line[0]))
    x = 0.0
    current = max(lines, key=lambda line: (line[0], line[1]))
    breaks: list[float] = []
    segments = [current]
    while True:
        crossing, following = math.inf, None
        for line in lines:
            if line[1] > current[1]:
                at = max(x, (current[0] - line[0]) / (line[1] - current[1]))
                if at < crossing or (at == crossing and following is not None and line[1] > following[1]):
                    crossing, following = at, line
        if following is None:
            return Pieces(tuple(breaks), tuple(segments))
        x, current = crossing, following
        if breaks and breaks[-1] == x:
            segments[-1] = current
        else:
            breaks.append(x)
            segments.append(current)


def total(parts: Sequence[tuple[float, Pieces]]) -> Pieces:
    """Return ``sum of weight times pieces``."""
    breaks = tuple(sorted({x for _, pieces in parts for x in pieces.breaks}))
    segments = []
    for x in (-1.0, *breaks):
        found = [(weight, pieces.segment(x)) for weight, pieces in parts]
        segments.append((sum(w * s[0] for w, s in found), sum(w * s[1] for w, s in found)))
    return Pieces(breaks, tuple(segments))


def switched(below: Pieces, above: Pieces, at: float) -> Pieces:
    """Return `below` left of `at` and `above` from there on."""
    if at <= 0:
        return above
    if math.isinf(at):
        return below
    low = tuple(x for x in below.breaks if x < at)
    high = tuple(x for x in above.breaks if x > at)
    tail = above.segments[len(above.breaks) - len(high) :]
    return Pieces((*low, at, *high), below.segments[: len(low) + 1] + tail)


def lower_hull(pieces: Pieces, least: float) -> Pieces:
    """Return the largest convex function below `pieces` on ``x >= least``, as pieces of increasing slope.

    It is the lower hull of the vertices (at a jump, the lower side) and of the ray with the last slope. Left of `least`
    its first segment goes on.
    """
    inner = [x for x in pieces.breaks if x > least]
    points = [(least, pieces(least))]
    for x in inner:
        k = bisect_right(pieces.breaks, x)
        left, right = pieces.segments[k - 1], pieces.segments[k]
        points.append((x, min(left[0] + left[1] * x, right[0] + right[1] * x)))
    last = pieces.segments[-1][1]
    hull: list[tuple[float, float]] = []
    for point in points:
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-1], point):
            hull.pop()
        hull.append(point)
    while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= last:
        hull.pop()
    slopes = [_slope(a, b) for a, b in pairwise(hull)] + [last]
    segments = tuple((y - slope * x, slope) for (x, y), slope in zip(hull, slopes, strict=True))
    return Pieces(tuple(x for x, _ in hull[1:]), segments)


def _slope(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0])
