"""The goodput LP: most requests per second that can meet their objectives in the long run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fluid.certify import certify
from fluid.demand import Demand, Rates
from fluid.pathwise.critical_path import decode_alone_s, prefill_alone_s
from fluid.pathwise.minorants import sound_minorants, standalone
from fluid.pathwise.pace import Stage
from fluid.planning import TOLERANCE, demand_subject, planning_programme
from fluid.programme import LinearProgramme, SolverError, solve
from orsched.bound import Bound
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.request import SLO
from orsched.work import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Goodput:
    """What a fleet can serve within its objectives in the long run.

    Parameters
    ----------
    bound : Bound
        On the weighted requests per second within their objectives; certified from the dual in exact arithmetic.
    on_time_per_s : ndarray of float64, shape (k,), or None
        Optimal rate of each class; None when the solver stopped before it had one.
    prices : mapping of str to float
        Dual value of each row: what one more unit of it would add.
    status : str
        What the solver said.
    """

    bound: Bound
    on_time_per_s: Floats | None
    prices: dict[str, float]
    status: str


def goodput(
    demand: Demand,
    fleet: Fleet,
    slo: SLO | Sequence[SLO],
    *,
    weights: Floats | None = None,
    metric: str = "goodput_requests_per_s",
    time_limit_s: float | None = None,
) -> Goodput:
    """Solve the goodput LP: the most weighted requests per second that any policy can serve on time for long.

    See `goodput_programme`. What a policy does with the requests that are not on time does not count.

    Parameters
    ----------
    demand : Workload or sequence of ClassRate
        Rates for the whole fleet.
    fleet : Fleet
        What serves it.
    slo : SLO or sequence of SLO
        The objective of all classes, or one for each (the order of `Rates.of`).
    weights : ndarray of float64, shape (k,), optional
        Worth of a request on time of each class; default 1. With its decode tokens ``o - 1`` and `metric` named
        to match, the bound is on tokens.
    metric : str
        What the weighted requests per second are, for the bound.
    time_limit_s : float, optional
        For the solver; the bound then is what its dual proves at that time.

    Raises
    ------
    InputError
        When there are not as many objectives as classes.
    """
    rates = Rates.of(demand)
    slos = [slo] * len(rates) if isinstance(slo, SLO) else list(slo)
    if len(slos) != len(rates):
        raise InputError(f"{len(slos)} objectives for {len(rates)} classes: give one SLO, or one for each class")
    lp = goodput_programme(rates, fleet, slos, np.ones(len(rates)) if weights is None else np.asarray(weights, float))
    solution = solve(lp, time_limit_s=time_limit_s)
    if solution.duals is None:
        raise SolverError(f"goodput programme: the solver says {solution.status!r}; it is feasible and bounded")
    proved = float(certify(lp, solution.duals, solution.value if solution.status == "optimal" else None))
    prices = dict(zip(lp.rows, solution.duals.tolist(), strict=True))
    certificate = {"duals": prices, "status": solution.status, "relative_tolerance": TOLERANCE}
    identity = demand_subject(demand, fleet)
    bound = Bound("goodput-lp", proved * (1 + TOLERANCE), "upper", metric, "fluid", True, identity, certificate)
    return Goodput(bound, None if solution.primal is None else solution.primal[:-1], prices, solution.status)


def goodput_programme(rates: Rates, fleet: Fleet, slos: Sequence[SLO], weights: Floats) -> LinearProgramme:
    """Write the planning LP for requests on time, with what their pace costs.

    To the rows of `fluid.planning.planning_programme`, with ``X_j`` now the requests of class j per second
    that are on time, add for every sound mixture of minorants with base ``alpha_m > 0``

        sum_j X_j (paced work of the prefill within ttft_j + paced work of the decodes within (o_j - 1) tpot_j) <= n

    where the paced work of ``k`` iterations with marginal works x that may last at most L together is
    ``sum x + alpha (sum sqrt x)^2 / (L - k alpha)`` (`fluid.pathwise.pace.Stage`). A class whose critical
    path is longer than a limit has ``X_j = 0``.

    Valid for every policy and every arrival process with these rates: consider a horizon. Requests that are
    complete and on time by its end have all their iterations in it. In each iteration hand the participants
    ``x T / (T - alpha)``, in all at most T. The decodes of a request on time last at most ``(o_j - 1) tpot_j``
    together, *whatever the single gaps are*, because they do not overlap and lie between its first token and its
    completion, which is what the mean time per output token measures. So each has received at least its paced
    work, of at most ``n H``. Divide by H. Single iterations longer than the limit are allowed, so this is weaker
    than offering only modes with ``T <= tpot``, and holds for policies for which that does not.

    Parameters
    ----------
    rates : Rates
        What arrives.
    fleet : Fleet
        What serves it.
    slos : sequence of SLO, length k
        Objective of each class.
    weights : ndarray of float64, shape (k,)
        Worth of a request on time.
    """
    work = rates.work
    sound = sound_minorants(fleet.hardware, rates.least_prompt)
    mixtures = standalone(sound)
    first: Floats = np.array([slo.ttft_s for slo in slos]) * (1 + TOLERANCE)
    rest: Floats = np.array([slo.tpot_s for slo in slos]) * work.decode_iterations.astype(float) * (1 + TOLERANCE)
    decode_alone = decode_alone_s(mixtures, work.prompt_tokens, np.ones_like(work.iterations), work.iterations)
    possible = (prefill_alone_s(sound, work.prompt_tokens) <= first) & (decode_alone <= rest)
    plan = planning_programme(work, np.where(possible, rates.rate_per_s, 0.0), weights, fleet)
    rows = {}
    for k, minorant in enumerate(m for m in mixtures if m.base_s > 0):
        prefill, decode = Stage.of(minorant, work, "prefill"), Stage.of(minorant, work, "decode")
        paced = prefill.paced_s(first) + decode.paced_s(rest)
        rows[f"pace-{k}"] = np.append(np.where(possible, paced, 0.0), 0.0)
    if not rows:
        return plan
    return replace(
        plan,
        matrix=np.vstack([plan.matrix, *rows.values()]),
        rhs=np.concatenate([plan.rhs, np.full(len(rows), float(fleet.size))]),
        rows=(*plan.rows, *rows),
    )
