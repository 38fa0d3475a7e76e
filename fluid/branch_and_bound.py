"""Branch and bound through HiGHS: incumbent, dual bound, and why there is no solution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fluid.certify import certify
from fluid.integer import IntegerProgramme
from fluid.programme import SolverError, solve
from orsched.work import Floats

IntegerStatus = Literal["optimal", "stopped", "infeasible", "unbounded"]

_FEASIBLE = 1e-6
_CONFLICT_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class IntegerSolution:
    """What branch and bound found. Its bound rests on the solver's word: never call it certified.

    Parameters
    ----------
    status : {"optimal", "stopped", "infeasible", "unbounded"}
        ``optimal``: proved to the solver's gap (1e-6 relative). ``stopped``: a limit came first.
    value : float or None
        Objective of the incumbent, recomputed here.
    primal : ndarray of float64, shape (n,), or None
        The incumbent, whole where it must be, its feasibility checked here.
    bound : float or None
        The solver's dual bound: it claims that no solution costs less.
    nodes : int
        Branch-and-bound nodes.
    """

    status: IntegerStatus
    value: float | None
    primal: Floats | None
    bound: float | None
    nodes: int = 0

    @property
    def gap(self) -> float | None:
        """``(value - bound) / |value|``, or None where one of them is missing; 0 for two zeros."""
        if self.value is None or self.bound is None:
            return None
        if self.value == self.bound:
            return 0.0
        return max(0.0, self.value - self.bound) / max(abs(self.value), abs(self.bound))


def solve_integer(
    programme: IntegerProgramme, *, time_limit_s: float | None = None, start: Floats | None = None
) -> IntegerSolution:
    """Solve with HiGHS' branch and bound.

    HiGHS is called directly: PuLP passes on neither the dual bound nor a starting point.

    Parameters
    ----------
    programme : IntegerProgramme
        What to solve.
    time_limit_s : float, optional
        After this long the incumbent (if any) and the dual bound reached so far are returned.
    start : ndarray of float64, shape (n,), optional
        A feasible point to start from.

    Raises
    ------
    SolverError
        When the solver ends in a way the status cannot say, or its incumbent violates the programme.
    """
    import highspy

    solver = _load(programme, time_limit_s)
    if start is not None:
        point = highspy.HighsSolution()
        point.col_value = start.tolist()
        solver.setSolution(point)
    solver.run()
    status = _status(solver)
    if status in ("infeasible", "unbounded"):
        return IntegerSolution(status, None, None, None)
    info = solver.getInfo()
    incumbent = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    primal = _checked(programme, np.array(solver.getSolution().col_value)) if incumbent else None
    value = None if primal is None else float(programme.objective @ primal)
    mixed = bool(programme.whole.any())
    bound = info.mip_dual_bound if mixed else (value if status == "optimal" else -math.inf)
    known = bound if bound is not None and math.isfinite(bound) else None
    return IntegerSolution(status, value, primal, known, max(0, info.mip_node_count))


def relaxation_bound(programme: IntegerProgramme) -> float | None:
    """Lower bound on the objective from the linear relaxation, proved from its dual in exact arithmetic.

    Returns
    -------
    float or None
        None when the relaxation has no feasible point (then there is no solution at all).

    Raises
    ------
    SolverError, CertificateError
        When the relaxation is unbounded, or its dual proves nothing.
    """
    relaxed = programme.relaxed()
    solution = solve(relaxed)
    if solution.status == "infeasible":
        return None
    if solution.duals is None:
        raise SolverError(f"linear relaxation: the solver says {solution.status!r}")
    return -float(certify(relaxed, solution.duals))


def conflict(programme: IntegerProgramme) -> tuple[str, ...]:
    """Names of rows of an infeasible programme that cannot hold together, as few as a deletion filter finds.

    Rows are dropped one after the other; one whose absence leaves the rest infeasible stays out. What remains
    is irreducible unless the solver needed more than 2 s for a step (then the row stays in).
    """
    import highspy

    solver = _load(programme, _CONFLICT_LIMIT_S)
    kept = []
    for row, name in enumerate(programme.rows):
        solver.changeRowBounds(row, -highspy.kHighsInf, highspy.kHighsInf)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kInfeasible:
            solver.changeRowBounds(row, float(programme.low[row]), float(programme.high[row]))
            kept.append(name)
    return tuple(dict.fromkeys(kept))


def _load(programme: IntegerProgramme, time_limit_s: float | None) -> Any:
    import highspy

    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = programme.matrix.shape
    lp.col_cost_ = programme.objective
    lp.col_lower_, lp.col_upper_ = np.zeros_like(programme.upper), programme.upper
    lp.row_lower_, lp.row_upper_ = programme.low, programme.high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = programme.matrix.indptr
    lp.a_matrix_.index_ = programme.matrix.indices
    lp.a_matrix_.value_ = programme.matrix.data
    if programme.whole.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(w)] for w in programme.whole]
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("mip_rel_gap", 1e-6)
    solver.setOptionValue("mip_abs_gap", 1e-9)
    if time_limit_s is not None:
        solver.setOptionValue("time_limit", float(time_limit_s))
    if solver.passModel(lp) == highspy.HighsStatus.kError:
        raise SolverError("HiGHS refused the integer programme; check its coefficients for infinities")
    return solver


def _status(solver: Any) -> IntegerStatus:
    import highspy

    said = highspy.HighsModelStatus
    named: dict[Any, IntegerStatus] = {
        said.kOptimal: "optimal",
        said.kModelEmpty: "optimal",
        said.kTimeLimit: "stopped",
        said.kInterrupt: "stopped",
        said.kSolutionLimit: "stopped",
        said.kInfeasible: "infeasible",
        said.kUnbounded: "unbounded",
    }
    status = solver.getModelStatus()
    if status == said.kUnboundedOrInfeasible:
        solver.setOptionValue("presolve", "off")
        solver.run()
        status = solver.getModelStatus()
    if status not in named:
        raise SolverError(f"HiGHS ended with status {solver.modelStatusToString(status)!r}")
    return named[status]


def _checked(programme: IntegerProgramme, x: Floats) -> Floats:
    """Round what must be whole and refuse a point that is not feasible to 1e-6."""
    point = np.where(programme.whole, np.round(x), np.clip(x, 0.0, programme.upper))
    if programme.violation(point) > _FEASIBLE:
        raise SolverError(f"the solver's incumbent violates the programme by {programme.violation(point):.2g}")
    return point
