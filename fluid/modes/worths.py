"""What each product is worth, so that no mode makes more than it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from fluid.modes.mode import QUANTITIES
from fluid.modes.table import ModeTable
from fluid.programme import SolverError
from orsched.errors import InputError
from orsched.work import Floats

_BATCH = 100
_EVEN = 300
_PAYS = 1e-9
_SLACK = 1e-12
_NOTHING = 1e-150


def participation_worths(modes: ModeTable, amounts: Mapping[str, float], price: float) -> dict[str, float]:
    """Worth of one unit of each product such that every mode pays for what it makes, at a price c of time.

    Values ``y >= 0`` with, for every mode,

        sum_p y_p rate_p <= requests present + c,

    that make ``sum_p amounts_p y_p`` as large as possible: the dual of the mode LP with the number present
    and c per instance as its cost. Take the modes of `fluid.modes.batch_modes` for all numbers of seats and
    multiply by T: in every iteration of every policy, with b participants and what they get done,

        b T + c T >= sum_p y_p made_p.

    Summed over a sample path on n instances within a period of length A, in which ``done_p`` is made,

        sum of latencies >= sum_p y_p done_p - c n A.

    For one minorant, and where KV memory does not bind, y is ``min over b of (b + c) (alpha / b + x)`` for a
    participation with marginal work x. An infinite price asks for ``sum_p y_p rate_p <= 1``: seconds of an instance.

    Parameters
    ----------
    modes : ModeTable
        What may be run; ``present`` must be known.
    amounts : mapping of str to float
        Where y shall be good: amounts of each product, > 0.
    price : float
        c >= 0, request-seconds per second of an instance; may be infinite.

    Returns
    -------
    dict of str to float
        y, request-seconds (or seconds) per unit of product; feasible for all modes including rounding.

    Raises
    ------
    InputError
        For a negative price, or a product that no mode makes.
    """
    if not price >= 0:
        raise InputError(f"price = {price!r}: must be >= 0")
    cost = modes.iteration_s * (1.0 if math.isinf(price) else modes.rates(QUANTITIES[0]) + price)
    made = np.stack([modes.rates(p) * modes.iteration_s for p in amounts], axis=1)
    for product, column in zip(amounts, made.T, strict=True):
        if not column.any():
            raise InputError(f"no mode produces {product!r}; offer one that does")
    return dict(zip(amounts, best_worths(made, cost, np.array(list(amounts.values()))).tolist(), strict=True))


def best_worths(made: Floats, cost: Floats, amounts: Floats) -> Floats:
    """Find ``y >= 0`` with ``made y <= cost`` and ``amounts y`` as large as possible.

    Rows are generated: the solver sees those that its last answer violates most. Whatever it answers is
    scaled down until all rows hold, so that the result is feasible in any case.

    Parameters
    ----------
    made : ndarray of float64, shape (modes, products)
        What each mode makes, >= 0; every product is made by some mode.
    cost : ndarray of float64, shape (modes,)
        >= 0.
    amounts : ndarray of float64, shape (products,)
        > 0.

    Returns
    -------
    ndarray of float64, shape (products,)
    """
    from scipy.optimize import linprog

    free = made[cost <= _NOTHING].any(axis=0)
    worth = np.zeros(len(amounts))
    if free.all():
        return worth
    paid = cost > _NOTHING
    unit = float(np.median(cost[paid]))
    shares, costs = made[np.ix_(paid, ~free)] / amounts[~free], cost[paid] / unit
    active = np.unique(np.append(np.linspace(0, len(costs) - 1, _EVEN), np.argmax(shares / costs[:, None], axis=0)))
    while True:
        rows = active.astype(np.int64)
        found = linprog(-np.ones(shares.shape[1]), A_ub=shares[rows], b_ub=costs[rows], method="highs")
        if found.x is None:
            raise SolverError(f"worths of participations: HiGHS says {found.message!r}; the programme is feasible")
        charged = (shares @ np.maximum(found.x, 0.0)) / costs
        worst = np.argsort(-charged, kind="stable")[:_BATCH]
        more = np.union1d(active, worst[charged[worst] > 1 + _PAYS])
        if len(more) == len(active):
            break
        active = more
    worth[~free] = np.maximum(found.x, 0.0) * unit / amounts[~free] / max(float(charged[worst[0]]), 1.0) * (1 - _SLACK)
    return worth
