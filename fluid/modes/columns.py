"""Delayed column generation: programmes with far more columns than rows."""

from __future__ import annotations

import time

import numpy as np

from fluid.programme import LinearProgramme, Solution, solve
from orsched.work import Ints

_FEW = 4000
_BATCH = 200
_PAYS = 1e-9
_FEASIBLE = 1e-8


def solve_by_columns(programme: LinearProgramme, *, time_limit_s: float | None = None) -> Solution:
    """Solve a programme while showing the solver only the columns that can pay.

    A restricted programme starts with some columns; its dual prices all others (one product of the
    dual vector with the matrix), and the 200 that pay most join, until none pays. The last dual is then
    feasible for all columns up to 1e-9, and the caller certifies it over all of them. Where zero is infeasible, a
    first phase of the same kind drives out one artificial column per violated row. Programmes of up to
    4,000 columns are solved at once.

    Parameters
    ----------
    programme : LinearProgramme
        What to solve.
    time_limit_s : float, optional
        For all rounds together. What is found by then is returned with status ``stopped``.

    Returns
    -------
    Solution
        As from `fluid.programme.solve`. If stopped in the first phase: no primal, and zero duals.
    """
    columns = len(programme.objective)
    if columns <= _FEW:
        return solve(programme, time_limit_s=time_limit_s)
    deadline = None if time_limit_s is None else time.monotonic() + time_limit_s
    active = _first(programme)
    violated = np.flatnonzero(programme.rhs < 0)
    if len(violated):
        phase = _with_artificial(programme, violated)
        active, found = _grow(phase, np.append(active, columns + np.arange(len(violated))), deadline)
        active = active[active < columns]
        if found.status == "stopped":
            return Solution("stopped", None, None, np.zeros(len(programme.rows)))
        if found.value is None or found.value < -_FEASIBLE:
            return Solution("infeasible", None, None, None)
    _, solution = _grow(programme, active, deadline)
    return solve(programme, time_limit_s=_left(deadline)) if solution.status == "infeasible" else solution


def _grow(programme: LinearProgramme, active: Ints, deadline: float | None) -> tuple[Ints, Solution]:
    """Add columns until none pays; the solution is over all columns of `programme`."""
    matrix, objective = programme.matrix, programme.objective
    while True:
        part = LinearProgramme(
            objective[active], matrix[:, active], programme.rhs, programme.upper[active], programme.rows
        )
        solution = solve(part, time_limit_s=_left(deadline))
        if solution.duals is None:
            return active, solution
        y = np.maximum(solution.duals, 0.0)
        gain = objective - y @ matrix
        gain[active] = 0.0
        pays = np.flatnonzero(gain > _PAYS * (np.abs(objective) + y.max(initial=0.0)))
        if solution.status != "optimal" or not len(pays):
            return active, _spread(solution, active, len(objective))
        best = pays[np.argsort(-gain[pays], kind="stable")[:_BATCH]]
        active = np.union1d(active, best)


def _spread(solution: Solution, active: Ints, columns: int) -> Solution:
    if solution.primal is None:
        return solution
    primal = np.zeros(columns)
    primal[active] = solution.primal
    return Solution(solution.status, solution.value, primal, solution.duals)


def _first(programme: LinearProgramme) -> Ints:
    """Columns spread evenly, the best of each row and of the objective, and the last (the multiplier)."""
    columns = len(programme.objective)
    even = np.linspace(0, columns - 1, _FEW // 4).astype(np.int64)
    best = [np.argmin(programme.matrix, axis=1), [int(np.argmax(programme.objective)), columns - 1]]
    return np.unique(np.concatenate([even, *best])).astype(np.int64)


def _with_artificial(programme: LinearProgramme, violated: Ints) -> LinearProgramme:
    """Measure infeasibility: minus the sum of what each violated row lacks."""
    lacking = np.zeros((len(programme.rows), len(violated)))
    lacking[violated, np.arange(len(violated))] = -1.0
    return LinearProgramme(
        objective=np.append(np.zeros(len(programme.objective)), -np.ones(len(violated))),
        matrix=np.hstack([programme.matrix, lacking]),
        rhs=programme.rhs,
        upper=np.append(programme.upper, np.full(len(violated), np.inf)),
        rows=programme.rows,
    )


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.monotonic(), 1e-3)
