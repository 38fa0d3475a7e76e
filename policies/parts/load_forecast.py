"""Predicted decode load of every instance over a horizon, and what moving one request would change.

The load is the KV tokens that a decode iteration reads. With ``c_j`` tokens of context now and ``r_j`` predicted tokens
to come, the residents of instance ``i`` make it, ``h`` iterations ahead::

    W_i(h) = sum_{j on i, r_j > h} (c_j + h),        h in H = {0, d, 2 d, ...}

Loads, score and guard are ours, in place of what ARES (arXiv 2510.13668, later STAR) balances: its formulas are not in
what we could read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from orsched.checks import require_number, require_whole
from orsched.errors import InputError
from orsched.work import Floats

MOST_STEPS = 100_000


def horizon(step: int, count: int) -> Floats:
    """Iterations ahead at which loads are predicted, ``0, step, ..., (count - 1) step``; shape ``(count,)``.

    One step is the present load only.

    Raises
    ------
    InputError
        When a number is no whole number >= 1, or the steps are more than 100,000.
    """
    require_whole("horizon step", step)
    require_whole("horizon count", count, most=MOST_STEPS)
    return np.arange(count, dtype=np.float64) * step


def discounted(ahead: Floats, gamma: float) -> Floats:
    """Weights ``gamma^h`` of the steps of a horizon, `gamma` above 0 and at most 1; shape ``(h,)``.

    Raises
    ------
    InputError
        When `gamma` is out of range.
    """
    require_number("gamma", gamma, above=True, most=1)
    return np.asarray(gamma**ahead)


def loads_of(context_tokens: ArrayLike, remaining_tokens: ArrayLike, ahead: Floats) -> Floats:
    """KV tokens that each request adds to a decode iteration at each step of the horizon.

    Parameters
    ----------
    context_tokens, remaining_tokens : array_like
        Tokens of context now, and predicted tokens to come, of ``r`` requests; shape ``(r,)``, possibly empty.
    ahead : ndarray of float64
        Iterations ahead, shape ``(h,)``.

    Returns
    -------
    ndarray of float64
        ``c + h`` where ``remaining > h``, otherwise 0; shape ``(r, h)``. Sums over a column are exact below 2^53.
    """
    context = np.asarray(context_tokens, dtype=np.float64).reshape(-1, 1)
    remaining = np.asarray(remaining_tokens, dtype=np.float64).reshape(-1, 1)
    return np.where(remaining > ahead, context + ahead, 0.0)


class LoadForecast:
    """Predicted loads of a fleet, and the variance score ``S = sum_h w_h Var_i W_i(h)``.

    ``Var_i`` is the mean squared deviation over the ``n`` instances. Moving a request with loads ``c(h)`` from `source`
    to `target` leaves the mean where it is, so that only two squares change::

        (W_s - c)^2 - W_s^2 + (W_t + c)^2 - W_t^2 = 2 c (c + W_t - W_s)
        change of S = (2 / n) sum_h w_h c(h) (c(h) + W_t(h) - W_s(h)),        O(|H|)

    The time that a move takes is left out.

    Parameters
    ----------
    loads : array_like
        ``W``, KV tokens, shape ``(n, h)``: one row per instance, the sum of its residents' `loads_of`. Copied.
    weights : array_like
        ``w``, shape ``(h,)``, each at least 0 and not all of them 0.

    Attributes
    ----------
    loads : ndarray of float64
        ``W`` after the moves so far.
    weights : ndarray of float64
        ``w``.

    Raises
    ------
    InputError
        When the shapes do not fit, there is no instance or no step, a number is negative or not finite, or all
        weights are 0.
    """

    __slots__ = ("loads", "weights")

    def __init__(self, loads: ArrayLike, weights: ArrayLike) -> None:
        self.loads: Floats = np.array(loads, dtype=np.float64)
        self.weights: Floats = np.array(weights, dtype=np.float64)
        shape = self.loads.shape
        if len(shape) != 2 or not self.loads.size or self.weights.shape != shape[1:]:
            raise InputError(f"loads of shape {shape} and weights of shape {self.weights.shape}: need (n, h) and (h,)")
        for what, values in (("loads", self.loads), ("weights", self.weights)):
            if not (np.isfinite(values) & (values >= 0)).all():
                raise InputError(f"{what}: every number must be finite and >= 0")
        if not self.weights.any():
            raise InputError("weights: one at least must be above 0")

    def score(self) -> float:
        """``S`` now, squared tokens."""
        return float(self.loads.var(axis=0) @ self.weights)

    def mean_load(self) -> Floats:
        """Weighted mean over the horizon of each instance's load, tokens; shape ``(n,)``."""
        return np.asarray(self.loads @ (self.weights / self.weights.sum()))

    def change(self, source: int, targets: Sequence[int], request_loads: Floats) -> Floats:
        """Change of the score when one request moves; below 0 it balances. ``O(r |H| k)``.

        Parameters
        ----------
        source : int
            Where they are: their loads are counted there.
        targets : sequence of int
            ``k`` other instances.
        request_loads : ndarray of float64
            `loads_of` the ``r`` candidates, shape ``(r, h)``.

        Returns
        -------
        ndarray of float64
            Shape ``(r, k)``: each candidate alone on each target.
        """
        gaps = (self.loads[targets] - self.loads[source]) * self.weights
        own = np.square(request_loads) @ self.weights
        return np.asarray((own[:, None] + request_loads @ gaps.T) * (2 / len(self.loads)))

    def move(self, source: int, target: int, request_loads: Floats) -> None:
        """Count a request's loads, shape ``(h,)``, at `target` instead of `source`."""
        self.loads[source] -= request_loads
        self.loads[target] += request_loads
