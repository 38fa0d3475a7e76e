"""Vertices of a simplex cut by half-spaces."""

from __future__ import annotations

import numpy as np

from orsched.work import Floats


def clip(points: Floats, values: Floats, cuts: int) -> Floats:
    """Vertices of a cut simplex's part where an affine function is not positive.

    The vertices of ``P`` intersected with ``{h <= 0}`` are those of P with ``h <= 0`` and the points where
    edges of P cross ``h = 0``. With P a simplex cut by c half-spaces, an edge lies in a face of the simplex
    of dimension at most ``c + 1``, so its two ends have at most ``c + 2`` positive coordinates between them;
    all such pairs are tried. That some pairs are no edges does no harm: their crossings lie in the polytope too.

    Parameters
    ----------
    points : ndarray of float64, shape (v, k)
        Barycentric coordinates: rows are non-negative and add up to one. All vertices of P and possibly
        other points of it.
    values : ndarray of float64, shape (v,)
        h at the points.
    cuts : int
        c, half-spaces that P has been cut by before.

    Returns
    -------
    ndarray of float64, shape (w, k)
    """
    inside, outside = points[values < 0], points[values > 0]
    below, above = values[values < 0], values[values > 0]
    kept = points[values <= 0]
    if not len(inside) or not len(outside):
        return kept
    here, there = (inside > 0).astype(float), (outside > 0).astype(float)
    shared = here.sum(axis=1)[:, None] + there.sum(axis=1)[None, :] - here @ there.T
    i, j = np.nonzero(shared <= cuts + 2.5)
    weight = (above[j] / (above[j] - below[i]))[:, None]
    return np.concatenate([kept, weight * inside[i] + (1.0 - weight) * outside[j]])
