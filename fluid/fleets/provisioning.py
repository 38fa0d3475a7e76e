"""How many servers of which chip in which role: least cost or power for given rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fluid.branch_and_bound import conflict, solve_integer
from fluid.fleets.server_option import ServerOption
from fluid.fleets.server_plan import ServerPlan, server_plan
from fluid.fleets.server_programme import Expense, ServerProgramme, unserved
from fluid.fleets.tier_demand import TierDemand
from orsched.errors import InputError


def provision(
    demands: Sequence[TierDemand],
    options: Sequence[ServerOption],
    *,
    minimise: Expense = "cost",
    stock: Mapping[str, int] | None = None,
    power_cap_w: float | None = None,
    time_limit_s: float | None = None,
    subject: str = "",
) -> ServerPlan:
    """Choose whole numbers of servers that serve every tier at its rate for the least cost or power.

    The programme is `fluid.fleets.server_programme.ServerProgramme`: each request runs on a mixed server, or is
    prefilled on one server and decoded on another with its KV transferred. Its bounds hold for plans of these
    options only, not for every policy on these chips. With `stock` the chips are given and only their
    roles are chosen (reallocation after the workload has changed).

    Parameters
    ----------
    demands : sequence of TierDemand
        Rates to be served.
    options : sequence of ServerOption
        Chips and roles with the rates they sustain; from `server_options` or from measurements.
    minimise : {"cost", "power_w"}
        The objective.
    stock : mapping of str to int, optional
        Servers there are of a chip; others are unlimited.
    power_cap_w : float, optional
        Most power of all servers together.
    time_limit_s : float, optional
        After this long the incumbent and the dual bound reached are returned, labelled ``stopped``.
    subject : str
        For the bounds.

    Raises
    ------
    InputError
        When no plan exists; names the tier that cannot be served, or the stocks, caps and rates that cannot hold
        together.

    Examples
    --------
    >>> options = [
    ...     ServerOption("big prefill", "big", "prefill", {"chat": 30.0}, cost=10.0),
    ...     ServerOption("big decode", "big", "decode", {"chat": 12.0}, cost=10.0),
    ...     ServerOption("lean decode", "lean", "decode", {"chat": 11.0}, cost=6.0),
    ... ]
    >>> plan = provision([TierDemand("chat", 40.0)], options)
    >>> plan.counts, plan.value, plan.status
    ({'big prefill': 2, 'big decode': 0, 'lean decode': 4}, 44.0, 'optimal')
    """
    written = ServerProgramme(demands, options, stock or {})
    reasons = [reason for demand in demands if (reason := unserved(demand, options))]
    if reasons:
        raise InputError("; ".join(reasons))
    programme = written.provision(minimise, power_cap_w)
    found = solve_integer(programme, time_limit_s=time_limit_s)
    if found.status == "infeasible":
        raise InputError(f"no plan: these cannot hold together: {'; '.join(conflict(programme))}")
    return server_plan(written, programme, found, metric=f"provisioned_{minimise}", sense="lower", subject=subject)
