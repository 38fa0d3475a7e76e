"""What a device achieves of its data sheet, fitted to measured times; and what such a fit is worth elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from orsched.devices import Chip, ModelConfig
from orsched.errors import InputError
from orsched.service import Scaling
from orsched.service.roofline import Roofline
from orsched.work import Floats


class Shares(NamedTuple):
    """Achieved shares of the peak arithmetic and of the peak bandwidth, and seconds per iteration on top."""

    compute: float
    memory: float
    overhead_s: float

    @property
    def at_bound(self) -> tuple[str, ...]:
        """Names of those that a fit left at the least or most it may find: then they measure nothing achieved."""
        ends = zip(self._fields, self, _LEAST, _MOST, strict=True)
        return tuple(name for name, value, low, high in ends if not low * (1 + _CLOSE) < value < high * (1 - _CLOSE))


START = Shares(0.5, 0.7, 1e-3)
"""Where a fit starts."""

_LEAST, _MOST = Shares(0.02, 0.02, 1e-6), Shares(1.0, 1.0, 0.1)
_CLOSE = 0.02  # of a bound: the solver stays inside
_OUTLIER = 0.3  # relative error above which an error counts linearly

Mask = NDArray[np.bool_]
Predict = Callable[[Shares, Mask], Floats]
"""Predicted seconds of the points in a mask."""


def roofline(
    chip: Chip, model: ModelConfig, gpus: int, shares: Shares | None, scaling: Scaling | None = None
) -> Roofline:
    """Return the roofline with `shares`; None: with the efficiencies of the data sheet and no overhead."""
    if shares is None:
        return Roofline(chip, model, gpus, scaling=scaling)
    return Roofline(chip, model, gpus, shares.compute, shares.memory, overhead_s=shares.overhead_s, scaling=scaling)


def fit_shares(predict: Predict, measured: Floats, points: Mask) -> Shares:
    """Fit the shares to `points` by least squares of the logarithm of predicted over measured time.

    Errors above 30% count linearly (soft l1): some points were measured with what no roofline knows.

    Parameters
    ----------
    predict : callable
        ``predict(shares, points)``: seconds, one per point of the mask.
    measured : ndarray of float64, shape (n,)
        Seconds.
    points : ndarray of bool, shape (n,)
        Those that are fitted.

    Raises
    ------
    InputError
        When there are fewer points than shares.
    """
    if points.sum() < len(START):
        raise InputError(f"{int(points.sum())} points: {len(START)} shares need at least as many")
    target = np.log(measured[points])
    found = least_squares(
        lambda x: np.log(predict(Shares(*np.exp(x)), points)) - target,
        np.log(START),
        bounds=(np.log(_LEAST), np.log(_MOST)),
        loss="soft_l1",
        f_scale=_OUTLIER,
    )
    return Shares(*map(float, np.exp(found.x)))


def leave_groups_out(predict: Predict, measured: Floats, groups: NDArray[np.str_]) -> dict[str, Shares]:
    """Fit, for each group, the shares to all other groups.

    Raises
    ------
    InputError
        When there are fewer than two groups.
    """
    names = np.unique(groups)
    if names.size < 2:
        raise InputError(f"{names.size} group(s): leaving one out needs at least two")
    return {str(name): fit_shares(predict, measured, groups != name) for name in names}
