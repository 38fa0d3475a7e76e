"""Why a mode LP has no optimum, in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fluid.modes.objective import CAPACITY, Objective
from fluid.modes.rows import Requirements, mode_programme
from fluid.modes.table import ModeTable
from fluid.programme import solve
from orsched.errors import InputError

_PRICED = 1e-7
_NAMED = 4


def explain_infeasible(table: ModeTable, needs: Requirements) -> InputError:
    """Say how much of the demand can be met, and which demands and limits bind.

    A first-phase programme asks for the largest multiplier of the demand under the same limits; the rows
    with a price at its optimum are those that bind. If even the multiplier zero is infeasible, the limits
    contradict the instances that must be on.
    """
    first = mode_programme(table, needs, CAPACITY)
    solution = solve(first)
    if solution.status != "optimal" or solution.value is None or solution.duals is None:
        on = ", ".join(f"{count:g} {chip}" for chip, count in needs.always_on.items())
        least = {name: _least(table, replace(needs, demand={}, limits={}), name) for name in needs.limits}
        limits = ", ".join(f"{n} <= {needs.limits[n]:g} (at least {least[n]:g} is used)" for n in least)
        return InputError(f"infeasible without any demand: {on} always on against {limits}; turn off or allow more")
    prices = dict(zip(first.rows, solution.duals.tolist(), strict=True))
    binding = sorted((r for r in prices if prices[r] > _PRICED * max(prices.values())), key=lambda r: -prices[r])
    short = [repr(row.removeprefix("demand ")) for row in binding if row.startswith("demand ")]
    if len(short) > _NAMED:
        short[_NAMED:] = [f"{len(short) - _NAMED} more"]
    bounds = [_named(row, needs) for row in binding if not row.startswith("demand ")]
    return InputError(
        f"infeasible: the modes meet at most {solution.value:.4g} of the demand; short of {', '.join(short)}, "
        f"limited by {', '.join(bounds)}; lower the demand, raise that limit or offer faster modes"
    )


def explain_unbounded(table: ModeTable, needs: Requirements, objective: Objective) -> InputError:
    """Name the kinds of instances without a count that make the objective unlimited."""
    gains = np.ones(len(table), bool) if objective == CAPACITY else table.rates(objective.quantity) > 0
    free = [c for k, c in enumerate(table.chips) if c not in needs.instances and gains[table.chip == k].any()]
    return InputError(
        f"unbounded: nothing limits {objective.quantity!r}, because the number of instances of "
        f"{', '.join(map(repr, free))} is not limited; give instances, or a limit that they use up"
    )


def _least(table: ModeTable, needs: Requirements, name: str) -> float:
    found = solve(mode_programme(table, needs, Objective(name, "lower")))
    return -found.value if found.value is not None else float("nan")


def _named(row: str, needs: Requirements) -> str:
    if row.startswith("instances "):
        chip = row.removeprefix("instances ")
        return f"{needs.instances[chip]:g} instances of {chip!r}"
    if row.startswith("limit "):
        name = row.removeprefix("limit ")
        return f"{name} <= {needs.limits[name]:g}"
    return row
