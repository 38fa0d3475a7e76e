"""Whole servers and what they serve: the outcome of provisioning and of goodput plans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fluid.branch_and_bound import IntegerSolution, relaxation_bound
from fluid.fleets.server_option import ServerOption
from fluid.fleets.server_programme import Expense, ServerProgramme, expense
from fluid.integer import IntegerProgramme
from orsched.bound import Bound, Sense

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ServerPlan:
    """Whole servers and what they serve, with what is known about the optimum.

    Parameters
    ----------
    status : str
        ``optimal`` (by the solver's word, to 1e-6) or ``stopped`` (the time limit came first).
    options : tuple of ServerOption
        What could be used.
    counts : mapping of str to int, or None
        Servers by option; None when no plan was found in time.
    rates_per_s : mapping of (str, str) to float
        Requests per second by (option, tier).
    value : float or None
        Objective of the plan.
    bounds : tuple of Bound
        On the objective of every plan of these options: the relaxation to fractional servers, certified from its dual,
        and branch and bound, the solver's word.
    """

    status: str
    options: tuple[ServerOption, ...]
    counts: dict[str, int] | None
    rates_per_s: dict[tuple[str, str], float]
    value: float | None
    bounds: tuple[Bound, ...]

    @property
    def gap(self) -> float | None:
        """Relative distance of the plan from branch and bound; None where one is missing or zero."""
        return self._gap("branch-and-bound")

    @property
    def rounding_gap(self) -> float | None:
        """Relative distance of the plan from its relaxation to fractional servers: what whole servers cost."""
        return self._gap("fractional-servers")

    def _gap(self, name: str) -> float | None:
        for bound in self.bounds:
            if bound.name == name and bound.value > 0 and self.value is not None:
                return max(0.0, bound.gap(self.value, metric=bound.metric, subject=bound.subject))
        return None

    def total(self, what: Expense) -> float | None:
        """Cost or power of all servers."""
        if self.counts is None:
            return None
        return sum(self.counts[o.name] * expense(o, what) for o in self.options if self.counts[o.name])

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per option in use: chip, role, servers, their cost, share of time used, rate of each tier."""
        rows = []
        for option in self.options:
            servers = 0 if self.counts is None else self.counts[option.name]
            served = {tier: rate for (name, tier), rate in self.rates_per_s.items() if name == option.name and rate > 0}
            if servers:
                rows.append(
                    {
                        "option": option.name,
                        "chip": option.chip,
                        "role": option.role,
                        "servers": servers,
                        "cost": servers * option.cost,
                        "used": sum(rate / option.rates_per_s[tier] for tier, rate in served.items()) / servers,
                        "rates_per_s": served,
                    }
                )
        return rows


def server_plan(
    written: ServerProgramme,
    programme: IntegerProgramme,
    found: IntegerSolution,
    *,
    metric: str,
    sense: Sense,
    subject: str,
) -> ServerPlan:
    """Read a plan off a solution; a metric to maximise is the negative of the programme's objective."""
    sign = 1.0 if sense == "lower" else -1.0
    facts = {"status": found.status, "relative_tolerance": _TOLERANCE}
    values = (("fractional-servers", relaxation_bound(programme), True), ("branch-and-bound", found.bound, False))
    bounds = [
        Bound(name, sign * (value - _TOLERANCE * abs(value)), sense, metric, "fluid", certified, subject, facts)
        for name, value, certified in values
        if value is not None
    ]
    return ServerPlan(
        status=found.status,
        options=tuple(written.options),
        counts=None if found.primal is None else written.counts(found.primal),
        rates_per_s={} if found.primal is None else written.rates(found.primal),
        value=None if found.value is None else sign * found.value,
        bounds=tuple(bounds),
    )
