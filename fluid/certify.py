"""Safe bounds from untrusted duals, in exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fluid.programme import LinearProgramme
from orsched.errors import OrschedError
from orsched.work import Floats, Ints

CLAIM_TOLERANCE = 1e-6
"""Largest relative distance between what a solver claims and what its dual proves."""


class CertificateError(OrschedError):
    """A dual vector that proves nothing, or not what was claimed."""


def certify(programme: LinearProgramme, duals: Floats, claim: float | None = None) -> Fraction:
    """Upper bound on a programme's optimum that its dual vector proves, computed without rounding.

    Weak duality: for every ``y >= 0`` and every feasible x,

        c x = y A x + (c - y A) x <= y b + sum_j max(0, d_j) u_j,    d = c - y A,

    so any ``y >= 0`` proves a bound as long as ``d_j <= 0`` wherever ``u_j`` is infinite. The vector is
    first brought into that cone: negative entries become zero, and for a column without upper bound and
    with ``d_j > 0`` the multiplier of the row with the largest coefficient in it is raised until ``d_j =
    0``. The duals of the box constraints are ``max(0, d_j)``, recomputed and never taken from the solver.
    Then the right-hand side is evaluated exactly: doubles are integers times powers of two, and all sums
    are done in integers. A wrong vector can therefore make the bound loose, but never wrong.

    Parameters
    ----------
    programme : LinearProgramme
        The programme, whose floats are taken at face value.
    duals : ndarray of float64, shape (r,)
        Row multipliers from a solver, or from anywhere.
    claim : float, optional
        Optimum claimed by the solver.

    Returns
    -------
    Fraction
        No feasible x has a larger objective.

    Raises
    ------
    CertificateError
        When the vector has the wrong shape, is not finite or cannot be repaired; or when the bound differs
        from `claim` by more than 1e-6 relative: either way, one of the two is wrong.
    """
    dual = _Dual.of(programme, duals)
    unbounded = np.flatnonzero(np.isinf(programme.upper))
    doubtful = unbounded[~_surely_negative(programme, duals, unbounded)].tolist()
    repaired = [dual.repair(column) for column in doubtful]
    for column in unbounded.tolist() if any(repaired) else doubtful:
        if dual.reduced_cost(column) > 0:
            raise CertificateError(f"the dual vector proves nothing: unbounded column {column} still pays")
    bound = dual.bound()
    if claim is not None and not _agree(bound, claim):
        raise CertificateError(f"the solver claims an optimum of {claim!r}, its duals prove {float(bound)!r}")
    return bound


def _surely_negative(programme: LinearProgramme, duals: Floats, columns: Ints) -> NDArray[np.bool_]:
    """Whether reduced costs are negative by more than double-precision sums of so many terms can err."""
    y, matrix, worth = np.maximum(duals, 0.0), programme.matrix[:, columns], programme.objective[columns]
    terms = y @ np.abs(matrix) + np.abs(worth)
    sure: NDArray[np.bool_] = worth - y @ matrix < -4.0 * (len(y) + 4) * np.finfo(float).eps * terms
    return sure


def _agree(bound: Fraction, claim: float) -> bool:
    if not math.isfinite(claim):
        return False
    exact = Fraction(claim)
    return abs(bound - exact) <= Fraction(CLAIM_TOLERANCE) * max(abs(bound), abs(exact))


class _Dual:
    """A non-negative multiplier vector in fixed point: ``y = steps * 2**-bits``."""

    def __init__(self, programme: LinearProgramme, steps: list[int], bits: int) -> None:
        self._programme = programme
        self._steps = steps
        self._bits = bits

    @classmethod
    def of(cls, programme: LinearProgramme, duals: Floats) -> _Dual:
        """Clip at zero and round to 100 bits below the largest entry: any ``y >= 0`` will do."""
        y = np.asarray(duals, dtype=float)
        if y.shape != programme.rhs.shape or not np.isfinite(y).all():
            raise CertificateError(f"a dual vector needs {len(programme.rhs)} finite entries, got {y.tolist()!r}")
        bits = 100 - math.frexp(float(y.max(initial=0.0)))[1]
        return cls(programme, [math.floor(Fraction(max(v, 0.0)) * Fraction(2) ** bits) for v in y.tolist()], bits)

    def _multipliers(self) -> list[Fraction]:
        unit = Fraction(2) ** -self._bits
        return [k * unit for k in self._steps]

    def reduced_cost(self, column: int) -> Fraction:
        """``c_j - (y A)_j``."""
        entries = map(Fraction, self._programme.matrix[:, column].tolist())
        paid = sum((y * a for y, a in zip(self._multipliers(), entries, strict=True)), Fraction(0))
        return Fraction(float(self._programme.objective[column])) - paid

    def repair(self, column: int) -> bool:
        """Raise one multiplier until an unbounded column does not pay, where that is possible; whether one was."""
        excess = self.reduced_cost(column)
        row = int(np.argmax(self._programme.matrix[:, column]))
        coefficient = float(self._programme.matrix[row, column])
        if excess <= 0 or coefficient <= 0:
            return False
        self._steps[row] += math.ceil(excess / Fraction(coefficient) * Fraction(2) ** self._bits)
        return True

    def bound(self) -> Fraction:
        """``y b + sum_j max(0, d_j) u_j``; every d_j is one integer in a common unit."""
        lp = self._programme
        rhs = map(Fraction, lp.rhs.tolist())
        value = sum((y * b for y, b in zip(self._multipliers(), rhs, strict=True)), Fraction(0))
        boxed = np.isfinite(lp.upper)
        if not boxed.any():
            return value
        reduced, unit = _as_integers(lp.objective[boxed])
        used = [np.flatnonzero(row) for row in lp.matrix[:, boxed]]
        rows = [
            (k, where, *_as_integers(row[where]))
            for k, where, row in zip(self._steps, used, lp.matrix[:, boxed], strict=True)
            if k and len(where)
        ]
        least = min([unit, *(exponent - self._bits for *_, exponent in rows)])
        reduced = reduced * (1 << (unit - least))
        for steps, where, row, exponent in rows:
            reduced[where] -= row * (steps << (exponent - self._bits - least))
        upper, scale = _as_integers(lp.upper[boxed])
        pays = reduced > 0
        total: int = sum((reduced[pays] * upper[pays]).tolist())
        return value + total * Fraction(2) ** (least + scale)


def _as_integers(values: Floats) -> tuple[NDArray[np.object_], int]:
    """Write floats exactly as Python integers times one power of two: ``integers * 2**exponent``."""
    mantissas, exponents = np.frexp(values)
    shifts = np.where(mantissas == 0, 0, exponents - 53)
    least = int(shifts.min())
    whole = np.ldexp(mantissas, 53).astype(np.int64).astype(object)
    return whole << (shifts - least).astype(object), least
