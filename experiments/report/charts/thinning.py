"""Fewer points and digits, by no more than can be seen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from experiments.report.charts.encodings import ScaleType
from orsched.work import Floats

SEEN = 1e-3
"""Share of an axis below which nothing is seen: 0.3 of the 300 pixels of a plot's height."""


def thinned(xs: Floats, ys: Floats, tolerance: float = SEEN) -> NDArray[np.intp]:
    """Positions of the points that a line needs.

    The line through the points kept is nowhere further from a point left out than `tolerance` (Douglas and Peucker,
    1973), so that no point of the line through all of them is further away either.

    Parameters
    ----------
    xs, ys : array, shape ``(n,)``
        The line, as shares of the axes; n at least 1.
    tolerance : float
        Largest distance, a share of the axes.
    """
    points = np.stack([xs, ys], axis=1)
    kept = np.zeros(len(points), dtype=bool)
    kept[[0, -1]] = True
    spans = [(0, len(points) - 1)]
    while spans:
        start, end = spans.pop()
        away = _distances(points[start + 1 : end], points[start], points[end])
        if len(away) and away.max() > tolerance:
            middle = start + 1 + int(away.argmax())
            kept[middle] = True
            spans += [(start, middle), (middle, end)]
    return np.flatnonzero(kept)


def _distances(points: Floats, start: Floats, end: Floats) -> Floats:
    """From each point to the segment between two others."""
    along = end - start
    length = float(along @ along)
    shares = np.clip((points - start) @ along / length, 0, 1) if length else np.zeros(len(points))
    found: Floats = np.hypot(*(points - start - shares[:, None] * along).T)
    return found


def shares(values: Floats, low: float, high: float, kind: ScaleType) -> Floats:
    """Where values stand on an axis from `low` to `high`, from 0 to 1; 0 on an axis without length."""
    if kind == "log":
        values, low, high = np.log(values), math.log(low), math.log(high)
    found: Floats = (values - low) / (high - low) if high > low else np.zeros(len(values))
    return found


def four_digits(values: Floats) -> Floats:
    """Values to four significant digits: what a logarithmic axis over a factor of three or more shows (`SEEN`)."""
    return np.array([float(f"{value:.4g}") for value in values])


def rounded(values: Floats, span: float) -> Floats:
    """Values to as many decimals as are seen on an axis of length `span`: the error is at most half of `SEEN`."""
    if span <= 0:
        return values
    found: Floats = np.round(values, -math.floor(math.log10(SEEN * span)))
    return found
