"""Linear programmes as plain data, and what a solver said about one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from orsched.errors import InputError, OrschedError
from orsched.work import Floats

Status = Literal["optimal", "stopped", "infeasible", "unbounded"]

_MANY_COLUMNS = 5000
_FEASIBLE = 1e-7


class SolverError(OrschedError):
    """The solver gave no usable answer, and what it said."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearProgramme:
    """``maximise c x  subject to  A x <= b,  0 <= x <= u``.

    Parameters
    ----------
    objective : ndarray of float64, shape (n,)
        ``c``.
    matrix : ndarray of float64, shape (r, n)
        ``A``, dense: these programmes have few rows.
    rhs : ndarray of float64, shape (r,)
        ``b``.
    upper : ndarray of float64, shape (n,)
        ``u``, >= 0; infinite where a variable has no upper bound.
    rows : tuple of str
        Names of the rows.
    """

    objective: Floats
    matrix: Floats
    rhs: Floats
    upper: Floats
    rows: tuple[str, ...]

    def __post_init__(self) -> None:
        n, r = len(self.objective), len(self.rows)
        if self.matrix.shape != (r, n) or self.rhs.shape != (r,) or self.upper.shape != (n,):
            raise InputError(
                f"linear programme: matrix {self.matrix.shape}, rhs {self.rhs.shape} and upper "
                f"{self.upper.shape} do not fit {r} row names and {n} objective coefficients"
            )
        finite = (np.isfinite(part).all() for part in (self.objective, self.matrix, self.rhs))
        if not all(finite) or np.isnan(self.upper).any() or (self.upper < 0).any():
            raise InputError("linear programme: coefficients must be finite, upper bounds >= 0 (or infinite)")


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """What a solver returned. Nothing in it is trusted: `fluid.certify` recomputes what it proves.

    Parameters
    ----------
    status : {"optimal", "stopped", "infeasible", "unbounded"}
        ``stopped``: a limit was reached before optimality was proved.
    value : float or None
        Objective of `primal`.
    primal : ndarray of float64, shape (n,), or None
        ``x``.
    duals : ndarray of float64, shape (r,), or None
        Row multipliers ``y``; non-negative at an optimum.
    """

    status: Status
    value: float | None
    primal: Floats | None
    duals: Floats | None


def solve(programme: LinearProgramme, *, time_limit_s: float | None = None) -> Solution:
    """Solve with HiGHS through PuLP.

    Programmes with more than 5,000 columns use HiGHS' interior point method with crossover: with few rows and
    100,000 columns it takes 0.8 s where the simplex method takes 5 s, and PuLP's own work is another 0.8 s.

    Parameters
    ----------
    programme : LinearProgramme
        What to solve.
    time_limit_s : float, optional
        The solver stops after this long, with status ``stopped`` and whatever it has.

    Raises
    ------
    SolverError
        When the solver ends in any other way than `Solution.status` can say.
    """
    import pulp

    problem = pulp.LpProblem("programme", pulp.LpMaximize)
    tops = (None if math.isinf(u) else u for u in programme.upper.tolist())
    columns = [problem.add_variable(f"x{j}", 0, u) for j, u in enumerate(tops)]
    problem.setObjective(pulp.LpAffineExpression(zip(columns, programme.objective.tolist(), strict=True)))
    rows = []
    for name, row, rhs in zip(programme.rows, programme.matrix, programme.rhs.tolist(), strict=True):
        used = np.flatnonzero(row)
        terms = pulp.LpAffineExpression(zip((columns[j] for j in used.tolist()), row[used].tolist(), strict=True))
        rows.append(pulp.LpConstraint(terms, pulp.LpConstraintLE, name, rhs))
        problem.addConstraint(rows[-1])
    options = {"solver": "ipm"} if len(columns) > _MANY_COLUMNS else {}
    problem.solve(pulp.HiGHS(msg=False, timeLimit=time_limit_s, **options))
    return _collect(programme, problem, columns, rows)


def _collect(programme: LinearProgramme, problem: Any, columns: list[Any], rows: list[Any]) -> Solution:
    import pulp

    named: dict[int, Status] = {pulp.LpStatusInfeasible: "infeasible", pulp.LpStatusUnbounded: "unbounded"}
    if problem.status in named:
        return Solution(named[problem.status], None, None, None)
    if problem.status != pulp.LpStatusOptimal:
        raise SolverError(f"HiGHS ended with status {pulp.LpStatus[problem.status]!r}")
    # HiGHS was given the negated objective to minimise: its row duals come back negated.
    duals = np.array([-row.pi for row in rows])
    primal = np.array([0.0 if c.varValue is None else c.varValue for c in columns])
    # PuLP calls a run that hit a limit optimal too, and tells them apart by the second status only.
    if problem.sol_status == pulp.LpSolutionOptimal:
        return Solution("optimal", float(programme.objective @ primal), primal, duals)
    if not _feasible(programme, primal):
        return Solution("stopped", None, None, duals)
    return Solution("stopped", float(programme.objective @ primal), primal, duals)


def _feasible(programme: LinearProgramme, primal: Floats) -> bool:
    """Whether a point satisfies every constraint to 1e-7 of the terms in it."""
    scale = np.abs(programme.matrix) @ np.abs(primal) + np.abs(programme.rhs)
    rows = programme.matrix @ primal <= programme.rhs + _FEASIBLE * scale
    columns = (primal >= -_FEASIBLE) & (primal <= programme.upper + _FEASIBLE)
    return bool(rows.all() and columns.all())
