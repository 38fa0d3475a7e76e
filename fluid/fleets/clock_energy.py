"""Minimum energy over a continuous clock: a geometric programme, its plan and its proof."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from fluid.fleets.clock_certificate import prove_power_w
from fluid.fleets.clock_pool import ClockPool
from fluid.programme import SolverError
from orsched.bound import Bound

_ENOUGH = 1e-6
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ClockPlan:
    """Clocks that do a pool's work with least mean power, and what no policy can go below.

    Parameters
    ----------
    pool : ClockPool
        The work.
    clocks : mapping of str to float
        Clock of each phase, share of full.
    power_w : float
        Mean power of the pool at these clocks, evaluated from the model; the plan keeps every limit.
    price_w : float
        Worth of one more instance-second per second: the multiplier of the time constraint, watts.
    bound : Bound
        Lower bound on the mean power, proved from `price_w` in outward-rounded arithmetic.
    """

    pool: ClockPool
    clocks: dict[str, float]
    power_w: float
    price_w: float
    bound: Bound

    @property
    def gap(self) -> float:
        """``(power - bound) / bound``: how far the plan may still be from the optimum."""
        return (self.power_w - self.bound.value) / self.bound.value

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per phase: clock, iteration time and limit (s), power (W), energy (J), share of the pool's time."""
        rows = []
        for phase in self.pool.phases:
            clock = self.clocks[phase.name]
            rows.append(
                {
                    "phase": phase.name,
                    "clock": clock,
                    "iteration_s": phase.iteration_s(clock),
                    "limit_s": phase.limit_s,
                    "power_w": phase.power_w(clock),
                    "energy_j": phase.energy_j(clock),
                    "time_share": phase.iterations_per_s * phase.iteration_s(clock) / self.pool.instances,
                }
            )
        return rows


def least_power(pool: ClockPool, *, solver: str = "CLARABEL", subject: str = "") -> ClockPlan:
    """Find the clocks that do a pool's work with least mean power.

    With one clock f_i per phase and m instances the programme is

        minimise    idle m + sum_i n_i (A_i - idle + B_i f_i^(1 + a_i)) (memory_i + compute_i f_i^-b_i)
        subject to  sum_i n_i (memory_i + compute_i f_i^-b_i) <= m,   slowest_i <= f_i <= most.

    All terms are monomials in f with coefficients >= 0: a geometric programme, convex in ``log f``, which cvxpy
    writes with exponential cones. Its optimality conditions are

        f_i minimises (P_i(f) - idle + price) T_i(f) over its range,   price >= 0,   price (sum n_i T_i - m) = 0,

    so the solver's multiplier gives the price, `Phase.cheapest` the tangents that belong to it, and
    `prove_power_w` a proof. Changing the clock within a phase, or between instances, cannot do better: that is
    part of the claim proved there.

    Parameters
    ----------
    pool : ClockPool
        The work, the range of the clock and the instances.
    solver : str
        A conic solver that cvxpy finds, with exponential cones: ``"CLARABEL"``, ``"SCS"`` or ``"ECOS"``.
    subject : str
        What the numbers were derived from, for `Bound.subject`.

    Raises
    ------
    InputError
        When even the highest clock is too slow; names the phase.
    SolverError
        When cvxpy or the solver is missing (says what to install), or plan and proof differ by more than 1e-6.

    Examples
    --------
    >>> from fluid.fleets.clock import Phase
    >>> decode = Phase(name="decode", iterations_per_s=20, compute_s=0.02, beta=1, static_w=100, dynamic_w=400, alpha=2)
    >>> plan = least_power(ClockPool(phases=(decode,), least=0.3, most=1.0, idle_w=50))
    >>> round(plan.clocks["decode"], 4), round(plan.power_w, 2), plan.bound.certified
    (0.4, 125.6, True)
    """
    pool.require_feasible()
    lows = {phase.name: phase.slowest(pool.least) for phase in pool.phases}
    found, price = _solve(pool, lows, solver)
    tangents = {p.name: p.cheapest(price - pool.idle_w, lows[p.name], pool.most) for p in pool.phases}
    proved = float(prove_power_w(pool, price, tangents))
    kept = min((_within_time(pool, clocks) for clocks in (found, tangents)), key=pool.mean_power_w)
    certificate = {"price_w": price, "tangent_clocks": tangents, "solver": solver, "relative_tolerance": _TOLERANCE}
    value = proved * (1 - _TOLERANCE)
    bound = Bound("clock-energy", value, "lower", "power_w", "fluid", True, subject, certificate)
    plan = ClockPlan(pool, kept, pool.mean_power_w(kept), price, bound)
    if plan.gap > _ENOUGH:
        raise SolverError(
            f"{solver} was too inexact: its plan draws {plan.power_w!r} W, its multiplier proves {proved!r} W; "
            "try another solver, or rescale the phases' rates and times"
        )
    return plan


def _solve(pool: ClockPool, lows: dict[str, float], solver: str) -> tuple[dict[str, float], float]:
    """Solve the geometric programme: clocks, and the multiplier of time in watts per instance."""
    cp = _cvxpy(solver)
    clocks = {phase.name: cp.Variable(pos=True) for phase in pool.phases}
    power, time = [], []
    for phase in pool.phases:
        clock, rate = clocks[phase.name], phase.iterations_per_s
        excess = phase.static_w - pool.idle_w
        growth = 1 + phase.alpha
        for part, exponent in ((phase.memory_s, 0.0), (phase.compute_s, -phase.beta)):
            if part > 0:
                time.append(rate * part / pool.instances * clock**exponent)
                power.append(rate * part * phase.dynamic_w * clock ** (growth + exponent))
                if excess > 0:
                    power.append(rate * part * excess * clock**exponent)
    budget = cp.sum(cp.hstack(time)) <= 1
    ranges = [end for name, c in clocks.items() for end in (c >= lows[name], c <= pool.most)]
    problem = cp.Problem(cp.Minimize(cp.sum(cp.hstack(power))), [budget, *ranges])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an inaccurate answer is caught by its proof
        try:
            problem.solve(gp=True, solver=solver)
        except cp.error.SolverError as failure:
            raise SolverError(f"{solver} could not solve the clock programme: {failure}") from failure
    if problem.value is None or budget.dual_value is None:
        raise SolverError(f"{solver} ended the clock programme with status {problem.status!r}; try another solver")
    found = {name: min(max(float(c.value), lows[name]), pool.most) for name, c in clocks.items()}
    # Dual of log(time) <= 0 in the programme for log(power): a relative price of relative time.
    return found, max(0.0, float(budget.dual_value)) * float(problem.value) / pool.instances


def _cvxpy(solver: str) -> Any:
    try:
        import cvxpy as cp
    except ImportError as failure:
        raise SolverError("minimum energy over the clock needs cvxpy: pip install cvxpy") from failure
    installed = cp.installed_solvers()  # type: ignore[no-untyped-call]
    if solver not in installed:
        raise SolverError(
            f"cvxpy does not find the solver {solver!r} (it finds {', '.join(installed)}): "
            f"pip install {solver.lower()}, or name another"
        )
    return cp


def _within_time(pool: ClockPool, clocks: dict[str, float]) -> dict[str, float]:
    """Raise clocks by the least power of two times 1e-15 that makes the work fit into the time."""
    raised, step = dict(clocks), 1e-15
    while pool.busy(raised) > pool.instances and step < 1:
        raised = {name: min(pool.most, clock * (1 + step)) for name, clock in clocks.items()}
        step *= 2
    return raised
