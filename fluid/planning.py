"""The planning LP: capacity, load and pathwise throughput."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fluid.certify import certify
from fluid.demand import Demand, Rates
from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.minorants import sound_minorants
from fluid.programme import LinearProgramme, Solution, SolverError, solve
from fluid.subject import fleet_subject, subject
from orsched.bound import Bound, Validity
from orsched.fleet import Fleet
from orsched.service import Minorant
from orsched.work import Floats, RequestWork
from orsched.workloads import Workload

TOLERANCE = 1e-9
"""Relative amount by which LP bounds are moved outward; their coefficients err by less than 1e-14."""


@dataclass(frozen=True, slots=True, eq=False)
class Capacity:
    """What a fleet can complete per second in the long run.

    Parameters
    ----------
    bound : Bound
        On the weighted completions per second; certified from the dual in exact arithmetic.
    completions_per_s : ndarray of float64, shape (k,), or None
        Optimal completion rate of each class; None when the solver stopped before it had one.
    prices : mapping of str to float
        Dual value of each row: what one more unit of it would add to the weighted completions per second.
    load : float
        Load of the demand: all rates divided by it are just in the capacity region.
    max_rate_per_s : float
        Requests per second of this mix at load one.
    status : str
        What the solver said.
    """

    bound: Bound
    completions_per_s: Floats | None
    prices: dict[str, float]
    load: float
    max_rate_per_s: float
    status: str


def capacity(
    demand: Demand,
    fleet: Fleet,
    *,
    weights: Floats | None = None,
    metric: str = "effective_throughput_tokens_per_s",
    token_budget: int | None = None,
    time_limit_s: float | None = None,
) -> Capacity:
    """Solve the fluid planning LP: the most weighted completions per second that any policy can sustain.

    See `planning_programme`; per second, ``horizon_s = 1`` and at most ``lambda_j`` completions of class j.

    Parameters
    ----------
    demand : Workload or sequence of ClassRate
        Rates for the whole fleet.
    fleet : Fleet
        What serves it.
    weights : ndarray of float64, shape (k,), optional
        Worth of a completion of each class (the order of `Rates.of`). Default: its decode tokens ``o - 1``,
        which makes the optimum a bound on effective throughput.
    metric : str
        What the weighted completions per second are, for the bound.
    token_budget : int, optional
        Most prompt tokens per iteration, when only such policies are of interest.
    time_limit_s : float, optional
        For the solver; the bound then is what its dual proves at that time.
    """
    rates = Rates.of(demand)
    worth = rates.work.decode_iterations.astype(float) if weights is None else np.asarray(weights, dtype=float)
    lp = planning_programme(rates.work, rates.rate_per_s, worth, fleet, token_budget=token_budget)
    solution = solve(lp, time_limit_s=time_limit_s)
    identity = demand_subject(demand, fleet)
    load = planned_load(demand, fleet)
    return Capacity(
        bound=_certified(lp, solution, metric, "fluid", identity),
        completions_per_s=None if solution.primal is None else solution.primal[:-1],
        prices={} if solution.duals is None else dict(zip(lp.rows, solution.duals.tolist(), strict=True)),
        load=load,
        max_rate_per_s=rates.total_per_s / load,
        status=solution.status,
    )


def planning_programme(
    work: RequestWork,
    most: Floats,
    weights: Floats,
    fleet: Fleet,
    *,
    horizon_s: float = 1.0,
    token_budget: int | None = None,
) -> LinearProgramme:
    """Write the planning LP over a horizon H for completions ``X_j`` and iterations N (the last column).

    maximise ``sum_j w_j X_j`` subject to, with n instances,

        sum_j X_j work_mj + alpha_m N <= n H        for every sound minorant m   (time)
        sum_j X_j m_j / C             <= N          (memory-time)
        sum_j X_j o_j / B_max         <= N          (seats: o_j iterations at least)
        sum_j X_j l_j / budget        <= N          (only under a token budget)
        0 <= X_j <= A_j,  0 <= N <= n H / alpha,

    the last bound being implied by the time row with the largest base.

    Valid for every policy: sum minorant m over all iterations of all instances that end by H. Their
    durations add up to at most ``n H``; completed requests contribute at least ``work_mj`` each
    (recomputation never costs less than the decode it replaces, `fluid.pathwise.minorants.recompute_proof`);
    unfinished requests contribute at least zero. Each iteration holds at most C tokens of KV and B_max
    requests. So the true completions and iterations are feasible.

    Parameters
    ----------
    work : RequestWork
        Work of one request per column, shape ``(k,)``.
    most : ndarray of float64, shape (k,)
        ``A_j``: most completions of each column by H.
    weights : ndarray of float64, shape (k,)
        ``w_j``.
    fleet : Fleet
        What serves them.
    horizon_s : float
        H, seconds.
    token_budget : int, optional
        Most prompt tokens per iteration.
    """
    hw = fleet.hardware
    minorants = sound_minorants(hw, int(work.prompt_tokens.min()))
    rows = {f"time-{k}": np.append(m.work_s(work), m.base_s) for k, m in enumerate(minorants)}
    rows["memory"] = np.append(work.kv_volume / hw.kv_capacity_tokens, -1.0)
    rows["seats"] = np.append(work.iterations / hw.max_num_seqs, -1.0)
    if token_budget is not None:
        rows["budget"] = np.append(work.prompt_tokens / token_budget, -1.0)
    rhs = [fleet.size * horizon_s if name.startswith("time") else 0.0 for name in rows]
    return LinearProgramme(
        objective=np.append(weights, 0.0),
        matrix=np.array(list(rows.values())),
        rhs=np.array(rhs),
        upper=np.append(most, _most_iterations(minorants, fleet.size * horizon_s)),
        rows=tuple(rows),
    )


def load_programme(demand: Demand, fleet: Fleet) -> LinearProgramme:
    """Write the load of a demand as an LP: least s for which the rates over s are in the capacity region.

    Columns N (iterations per second and instance) and s; maximise ``-s`` subject to ``work_m + alpha_m N <=
    s`` for every minorant and ``N >= memory``, ``N >= seats``, all per instance. With N at its least value
    some s is feasible; it bounds s, and through the time rows N, from above.
    """
    rates = Rates.of(demand)
    hw = fleet.hardware
    share = rates.rate_per_s / fleet.size
    minorants = sound_minorants(hw, rates.least_prompt)
    rows = {f"time-{k}": (m.base_s, -1.0, -float(share @ m.work_s(rates.work))) for k, m in enumerate(minorants)}
    rows["memory"] = (-1.0, 0.0, -float(share @ rates.work.kv_volume) / hw.kv_capacity_tokens)
    rows["seats"] = (-1.0, 0.0, -float(share @ rates.work.iterations) / hw.max_num_seqs)
    table = np.array(list(rows.values()))
    iterations = -float(table[-2:, 2].min())
    feasible = 2.0 * max(-time + base * iterations for base, _, time in table[:-2].tolist())
    upper = np.array([_most_iterations(minorants, feasible), feasible])
    return LinearProgramme(np.array([0.0, -1.0]), table[:, :2].copy(), table[:, 2].copy(), upper, tuple(rows))


def _most_iterations(minorants: Sequence[Minorant], time_s: float) -> float:
    """Bound the iterations that fit into `time_s` by the largest base; infinite without a positive one."""
    base = max(m.base_s for m in minorants)
    return time_s / base * (1 + TOLERANCE) if base > 0 else np.inf


def planned_load(demand: Demand, fleet: Fleet) -> float:
    """Load of a demand from the LP, certified; equals `orsched.load.load` where recomputation never pays."""
    lp = load_programme(demand, fleet)
    solution = solve(lp)
    if solution.duals is None:
        raise SolverError(f"load programme: the solver says {solution.status!r}; it is feasible and bounded")
    return -float(certify(lp, solution.duals, solution.value))


def pathwise_capacity(
    workload: Workload,
    fleet: Fleet,
    horizon_s: float,
    *,
    weights: Floats | None = None,
    metric: str = "effective_tokens",
    time_limit_s: float | None = None,
) -> Bound:
    """Upper bound on the weighted completions of one sample path within `horizon_s` of its first arrival.

    The planning LP with one column per request, ``0 <= X_i <= 1``; a request whose arrival plus critical
    path lies beyond the horizon has ``X_i = 0``. 100,000 requests take about 2 s.

    Parameters
    ----------
    workload : Workload
        The sample path.
    fleet : Fleet
        What serves it.
    horizon_s : float
        H, seconds after the first arrival.
    weights : ndarray of float64, shape (n,), optional
        Worth of each completion; default its decode tokens.
    metric : str
        What the weighted completions are.
    time_limit_s : float, optional
        For the solver; the bound then is what its dual proves at that time.
    """
    work = workload.work
    worth = work.decode_iterations.astype(float) if weights is None else np.asarray(weights, dtype=float)
    paths = CriticalPaths.of(workload, fleet)
    earliest = workload.arrival_s - workload.arrival_s[0] + paths.latency_s * (1 - TOLERANCE)
    most = (earliest <= horizon_s).astype(float)
    lp = planning_programme(work, most, worth, fleet, horizon_s=horizon_s)
    solution = solve(lp, time_limit_s=time_limit_s)
    return _certified(lp, solution, metric, "pathwise", subject(workload, fleet))


def _certified(lp: LinearProgramme, solution: Solution, metric: str, validity: Validity, identity: str) -> Bound:
    """Bound from the duals alone; a solver that stopped early may be checked against no claim."""
    if solution.duals is None:
        raise SolverError(f"planning programme: the solver says {solution.status!r}; it is feasible and bounded")
    claim = solution.value if solution.status == "optimal" else None
    proved = float(certify(lp, solution.duals, claim))
    certificate = {
        "duals": dict(zip(lp.rows, solution.duals.tolist(), strict=True)),
        "status": solution.status,
        "relative_tolerance": TOLERANCE,
    }
    value = proved * (1 + TOLERANCE)
    return Bound("planning-lp", value, "upper", metric, validity, True, identity, certificate)


def demand_subject(demand: Demand, fleet: Fleet) -> str:
    """Identify a demand on a fleet: a workload by its path (`fluid.subject.subject`), classes by rates and lengths."""
    if isinstance(demand, Workload):
        return subject(demand, fleet)
    rates = Rates.of(demand)
    rows = (rates.rate_per_s.tolist(), rates.work.prompt_tokens.tolist(), rates.work.iterations.tolist())
    digest = hashlib.blake2b(repr(rows).encode(), digest_size=8).hexdigest()
    return f"{len(rates)} classes {digest} on {fleet_subject(fleet)}"
