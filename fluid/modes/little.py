"""Mean latency through Little's law: the hull column, valid for every policy, and the fluid column."""

from __future__ import annotations

import numpy as np

from fluid.demand import Demand, Rates
from fluid.modes.batches import SeatRange, batch_modes, chunk_minorants
from fluid.modes.objective import MEAN_NUMBER
from fluid.modes.participants import DECODE_NODES, PREFILL_NODES, serving_participants
from fluid.modes.programme import ModePlan, mode_lp
from fluid.modes.table import ModeTable
from fluid.planning import TOLERANCE, demand_subject
from orsched.bound import Bound
from orsched.errors import InputError
from orsched.fitting import usable_tokens
from orsched.fleet import Fleet

_EXACT = 256


def hull_number(
    demand: Demand,
    fleet: Fleet,
    *,
    token_gap_limit_s: float | None = None,
    prefill_nodes: int = PREFILL_NODES,
    decode_nodes: int = DECODE_NODES,
) -> ModePlan:
    """Least mean number of requests in the system of any policy that keeps up with the demand.

    The mode LP over all batch compositions (`fluid.modes.batch_modes`) with the number present as its
    cost: one range of seats for each number of participants up to 256, and ranges that are short beside
    their ends beyond. The ranges cover all batch sizes, so the dual proves the bound over all modes; the solver is
    shown only those that can pay (`fluid.modes.solve_by_columns`). The hull of compositions lets a policy
    separate prefill from decode in time at no cost.

    Parameters
    ----------
    demand : Workload or sequence of ClassRate
        Rates for the whole fleet.
    fleet : Fleet
        What serves it.
    token_gap_limit_s : float, optional
        Count only policies that never let more time pass between two tokens of a request.
    prefill_nodes, decode_nodes : int
        Lengths that are told apart (`fluid.modes.serving_participants`); more are tighter.

    Returns
    -------
    ModePlan
        With a bound on ``number_in_system_mean``, validity ``fluid``.

    Raises
    ------
    InputError
        When no policy keeps up with the demand, in words.
    """
    rates = Rates.of(demand)
    _require_room(rates, fleet)
    kinds, wanted = serving_participants(rates, prefill_nodes=prefill_nodes, decode_nodes=decode_nodes)
    hw = fleet.hardware
    tables = [
        batch_modes(hw, kinds, seats, least_prompt=rates.least_prompt, iteration_limit_s=token_gap_limit_s)
        for seats in seat_ranges(hw.max_num_seqs)
    ]
    return mode_lp(
        ModeTable.joined(tables),
        wanted,
        MEAN_NUMBER,
        instances={hw.name: fleet.size},
        name="mode-lp-hull",
        metric="number_in_system_mean",
        subject=demand_subject(demand, fleet),
    )


def hull_latency(demand: Demand, fleet: Fleet, *, token_gap_limit_s: float | None = None) -> Bound:
    """Least mean latency of any policy in the long run: `hull_number` over the arrival rate (Little's law).

    Requests are in the system at least while they take part in an iteration, and in a stationary system
    the mean number present is the arrival rate times the mean latency.
    """
    plan = hull_number(demand, fleet, token_gap_limit_s=token_gap_limit_s)
    rate = Rates.of(demand).total_per_s
    facts = {**plan.bound.certificate, "number_in_system_mean": plan.bound.value, "rate_per_s": rate}
    value = plan.bound.value / rate
    return Bound("mode-lp-hull", value, "lower", "latency_mean_s", "fluid", True, plan.bound.subject, facts)


def fluid_latency(demand: Demand, fleet: Fleet) -> Bound:
    """Mean latency when one mixed composition runs all the time: a limit for large systems, not a bound.

    With N iterations per second over n instances, each lasts ``n / N`` seconds, so a request of class j that
    takes part in every one is in the system for ``o_j n / N``; if prefills are spread evenly, iterations
    take ``sum_j lambda_j work_mj + alpha_m N <= n`` seconds per second for every minorant m. The
    largest such N gives the least number. For one affine minorant it is WAIT's fluid equilibrium,
    ``o_j alpha / (1 - rho)`` seconds for class j. Policies that separate prefill from decode can beat it
    (`hull_latency` says by how much at most), so its validity is ``asymptotic`` and no gap is taken from it;
    it also counts fractions of a request, so at very low load the hull may lie above it.

    Parameters
    ----------
    demand : Workload or sequence of ClassRate
        Rates for the whole fleet.
    fleet : Fleet
        What serves it.

    Raises
    ------
    InputError
        When the demand is at or beyond load one, so that no such composition exists.
    """
    rates = Rates.of(demand)
    _require_room(rates, fleet)
    hw = fleet.hardware
    minorants = chunk_minorants(hw, rates.least_prompt)
    seconds = {m: fleet.size - float(rates.rate_per_s @ m.work_s(rates.work)) for m in minorants}
    most = min((left / m.base_s for m, left in seconds.items() if m.base_s > 0), default=0.0)
    least = max(
        float(rates.rate_per_s @ rates.work.kv_volume) / hw.kv_capacity_tokens,
        float(rates.rate_per_s @ rates.work.iterations) / hw.max_num_seqs,
        max((left / m.base_s for m, left in seconds.items() if m.base_s < 0), default=0.0),
    )
    if most <= 0 or most < least or any(left < 0 for m, left in seconds.items() if m.base_s == 0):
        raise InputError(
            f"no batch composition of {fleet.name} keeps up with {rates.total_per_s:.4g} requests/s all the time: "
            f"{least:.4g} iterations per second are needed, {max(most, 0.0):.4g} are possible; lower the rate"
        )
    latency = float(rates.rate_per_s @ rates.work.iterations) / rates.total_per_s * fleet.size / most
    facts = {"iterations_per_s": most, "relative_tolerance": TOLERANCE}
    identity = demand_subject(demand, fleet)
    value = latency * (1 - TOLERANCE)
    return Bound("mode-lp-fluid", value, "lower", "latency_mean_s", "asymptotic", False, identity, facts)


def _require_room(rates: Rates, fleet: Fleet) -> None:
    peak = rates.work.prompt_tokens + rates.work.decode_iterations
    row = int(np.argmax(peak))
    if peak[row] > usable_tokens(fleet.hardware):
        raise InputError(
            f"class {row} (prompt {rates.work.prompt_tokens[row]}, output {rates.work.iterations[row]}) ends with "
            f"{peak[row]} KV tokens, an instance of {fleet.hardware.name} holds {usable_tokens(fleet.hardware)}: no "
            "policy completes it; leave it out or use hardware with more KV memory"
        )


def seat_ranges(most: int, exact: int = _EXACT) -> list[SeatRange]:
    """Single numbers of seats up to `exact`, then ranges whose ends differ by less than one part in so many."""
    ranges = [(1, 1)]
    while ranges[-1][1] < most:
        low = ranges[-1][1] + 1
        ranges.append((low, min(low + low // (exact + 1), most)))
    return ranges
