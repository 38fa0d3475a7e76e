"""The mode LP: the best mix of modes over time, with a proof from its dual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fluid.certify import certify
from fluid.modes.columns import solve_by_columns
from fluid.modes.explain import explain_infeasible, explain_unbounded
from fluid.modes.mode import Mode
from fluid.modes.objective import MULTIPLIER, Objective
from fluid.modes.rows import Requirements, mode_programme
from fluid.modes.table import ModeTable
from fluid.planning import TOLERANCE
from fluid.programme import LinearProgramme, SolverError
from orsched.bound import Bound, Validity
from orsched.work import Floats

_UNUSED = 1e-9
_SLACK = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class ModePlan:
    """Optimum of a mode LP.

    Parameters
    ----------
    bound : Bound
        What the dual proves in exact arithmetic; no mix of the modes does better, whatever the solver said.
    value : float or None
        Objective of `mix`; None when the solver stopped before it had a mix.
    mix : tuple of (Mode, float)
        Modes in use and how many instances run each on average, largest first.
    multiplier : float or None
        Factor on the demands that `mix` meets; 1 unless it was the objective.
    prices : mapping of str to float
        Dual value of each row: what one more unit of its right-hand side would do for the objective; for a
        demand, the unit is the demand itself.
    status : {"optimal", "stopped"}
        ``stopped``: a time limit was reached; `mix` is then the incumbent and `bound` what its dual proves.
    """

    bound: Bound
    value: float | None
    mix: tuple[tuple[Mode, float], ...]
    multiplier: float | None
    prices: dict[str, float]
    status: str


def mode_lp(
    modes: Sequence[Mode] | ModeTable,
    demand: Mapping[str, float],
    objective: Objective,
    *,
    instances: Mapping[str, float],
    always_on: Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
    name: str = "mode-lp",
    metric: str | None = None,
    validity: Validity = "fluid",
    subject: str = "",
    time_limit_s: float | None = None,
) -> ModePlan:
    """Find the best mix of modes that meets a demand.

    With ``pi_q >= 0`` the mean number of instances in mode q::

        optimise  sum_q pi_q g_q          (g: the objective's quantity or product)
        s.t.      sum_q pi_q rate_qp      >= demand_p        for every product p demanded
                  sum_{q of kind c} pi_q  <= instances_c     (instances beyond that are off, or idle at no cost)
                  sum_{q of kind c} pi_q  >= always_on_c     (an idle mode then says what idling costs)
                  sum_q pi_q quantity_q   <= limit           for every limit

    or, for `fluid.modes.CAPACITY`, the largest s such that s times the demand can be met.

    *What it bounds.* If every way to run the fleet at any instant is one of the modes, or a mixture of
    them that takes no less time and produces no more, then the long-run time shares of any policy are
    feasible, so no policy does better. Whether a set of modes has that property is for its generator to
    prove (`fluid.modes.batch_modes`); for a hand-made list the bound holds for the systems that run in
    those modes. A product may be made in excess of its demand: a relaxation, and harmless where less work
    is never worse.

    *Certificate.* The dual vector is first moved into its cone: multipliers of a kind's instances are
    raised by the largest reduced cost of its modes, so that all modes, not only those that the solver looked
    at, are priced; `fluid.certify.certify` then evaluates it in exact arithmetic.

    Parameters
    ----------
    modes : sequence of Mode, or ModeTable
        What may be run. A hard latency objective is a matter of which modes are offered.
    demand : mapping of str to float
        Least rate per second of each product, > 0, over the whole fleet.
    objective : Objective
        `CAPACITY`, `MEAN_NUMBER`, `POWER`, `COST`, `most(product)`, or any other quantity or product.
    instances : mapping of str to float
        Instances of each kind; a kind that is not named is unlimited.
    always_on : mapping of str to float, optional
        Instances of a kind that are in some mode all the time.
    limits : mapping of str to float, optional
        Largest time average of a quantity or product, summed over instances: a power cap, a budget.
    name, metric, validity, subject : str
        Labels of the bound; the metric defaults to the objective's quantity.
    time_limit_s : float, optional
        For the solver.

    Returns
    -------
    ModePlan
        Mix, bound and prices.

    Raises
    ------
    InputError
        When a demand cannot be met (naming it and the limits that bind), when nothing limits the
        objective (naming the kinds of instances without a count), or for unknown names.
    SolverError
        When the solver ends in no usable way.
    """
    table = ModeTable.of(modes)
    needs = Requirements(dict(demand), dict(instances), dict(always_on or {}), dict(limits or {}))
    lp = mode_programme(table, needs, objective)
    solution = solve_by_columns(lp, time_limit_s=time_limit_s)
    if solution.status == "infeasible":
        raise explain_infeasible(table, needs)
    if solution.status == "unbounded":
        raise explain_unbounded(table, needs, objective)
    if solution.duals is None:
        raise SolverError(f"mode programme: the solver says {solution.status!r} and gives no dual vector")
    sign = 1.0 if objective.sense == "upper" else -1.0
    duals = priced_out(lp, table, solution.duals)
    checked = solution.status == "optimal" and solution.value is not None and abs(solution.value) > _UNUSED
    proved = sign * float(certify(lp, duals, solution.value if checked else None))
    facts = {
        "duals": dict(zip(lp.rows, duals.tolist(), strict=True)),
        "modes": len(table),
        "status": solution.status,
        "relative_tolerance": TOLERANCE,
    }
    outward = proved + sign * TOLERANCE * abs(proved)
    bound = Bound(name, outward, objective.sense, metric or objective.quantity, validity, True, subject, facts)
    primal = solution.primal
    return ModePlan(
        bound=bound,
        value=None if solution.value is None else sign * solution.value,
        mix=() if primal is None else _mix(table, primal[:-1]),
        multiplier=None if primal is None else float(primal[-1]) if objective.quantity == MULTIPLIER else 1.0,
        prices={row: sign * y for row, y in zip(lp.rows, solution.duals.tolist(), strict=True)},
        status=solution.status,
    )


def priced_out(lp: LinearProgramme, table: ModeTable, duals: Floats) -> Floats:
    """Move a dual vector to where no mode pays, up to rounding; any move is safe, this one costs least.

    The demand prices must add up to at least the worth of the multiplier; the largest is raised if not.
    Otherwise, modes of kinds without a count may ask for lower prices of what they make: those are scaled down.
    Then each counted kind's price of an instance is raised by the largest reduced cost of its modes, which
    costs that much per instance: tighter than charging every mode that pays by itself.
    """
    y = np.maximum(duals, 0.0)
    columns = lp.matrix[:, :-1]
    asked = lp.matrix[:, -1]
    if asked.any():
        missing = float(lp.objective[-1]) - float(y @ asked) + _SLACK
        dearest = int(np.argmax(y * asked))
        y[dearest] += max(missing, 0.0) / asked[dearest] if asked[dearest] > 0 else 0.0
    else:
        free = np.isinf(lp.upper[:-1])
        paid = y @ np.maximum(columns[:, free], 0.0) - lp.objective[:-1][free]
        made = y @ np.maximum(-columns[:, free], 0.0)
        short = (made > paid * (1 - _SLACK)) & (paid >= 0)
        if short.any():
            y[(columns < 0).any(axis=1)] *= float((paid[short] / made[short]).min()) * (1 - _SLACK)
    reduced = lp.objective[:-1] - y @ columns
    for k, chip in enumerate(table.chips):
        if f"instances {chip}" in lp.rows:
            y[lp.rows.index(f"instances {chip}")] += max(float(reduced[table.chip == k].max()), 0.0)
    return y


def _mix(table: ModeTable, shares: Floats) -> tuple[tuple[Mode, float], ...]:
    used = np.flatnonzero(shares > _UNUSED)
    order = used[np.argsort(-shares[used], kind="stable")]
    return tuple((table.mode(j), float(shares[j])) for j in order.tolist())
