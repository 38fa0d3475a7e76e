"""The mode LP as rows and columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fluid.modes.objective import MULTIPLIER, Objective
from fluid.modes.table import ModeTable
from fluid.programme import LinearProgramme
from orsched.errors import InputError, unknown_name
from orsched.work import Floats

_SMALL = 1e-9


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a mix of modes has to respect; see `fluid.modes.mode_lp`.

    Parameters
    ----------
    demand : mapping of str to float
        Least rate per second of each product, > 0.
    instances : mapping of str to float
        Most instances of each kind, >= 0; a kind not named is unlimited.
    always_on : mapping of str to float
        Least instances of each kind in some mode.
    limits : mapping of str to float
        Most of a quantity or product, time average over the fleet.
    """

    demand: Mapping[str, float]
    instances: Mapping[str, float]
    always_on: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, rate in self.demand.items():
            if not (rate > 0 and math.isfinite(rate)):
                raise InputError(f"demand for {name!r} = {rate!r}: must be finite and > 0")
        groups = {"instances": self.instances, "always_on": self.always_on, "limits": self.limits}
        for group, values in groups.items():
            for name, value in values.items():
                if not (value >= 0 and math.isfinite(value)):
                    raise InputError(f"{group}[{name!r}] = {value!r}: must be finite and >= 0")
        for chip, least in self.always_on.items():
            if least > self.instances.get(chip, math.inf):
                raise InputError(
                    f"always_on[{chip!r}] = {least!r} exceeds instances[{chip!r}] = {self.instances[chip]!r}"
                )


def demand_unit(table: ModeTable, product: str, rate: float) -> float:
    """Unit of a demand's row: the demand, or 1e-9 of what the best mode makes, whichever is larger."""
    return max(rate, _SMALL * float(table.rates(product).max()))


def mode_programme(table: ModeTable, needs: Requirements, objective: Objective) -> LinearProgramme:
    """Write the mode LP as a maximisation; columns are the modes and, last, the multiplier.

    Rows are ``demand <product>`` (in units of `demand_unit`), ``instances <kind>``, ``always on <kind>`` and
    ``limit <name>``. Unless it is the objective, the multiplier is fixed: its column is empty and at
    most zero, and the demand is on the right-hand side. Whole numbers of instances are columns that a
    caller appends, with -1 in the rows ``instances <kind>``.

    Parameters
    ----------
    table : ModeTable
        What may be run.
    needs : Requirements
        Demand, instances and limits.
    objective : Objective
        What is optimised.

    Raises
    ------
    InputError
        When a demanded product is made by no mode, a name is unknown, or there is nothing to multiply.
    """
    for chip in (*needs.instances, *needs.always_on):
        if chip not in table.chips:
            raise unknown_name("kind of instance", chip, table.chips)
    scaled = objective.quantity == MULTIPLIER
    if scaled and not needs.demand:
        raise InputError("a multiplier needs a demand to multiply")
    sign = 1.0 if objective.sense == "upper" else -1.0
    rows: dict[str, tuple[Floats, float, float]] = {}
    for product, rate in needs.demand.items():
        made = table.rates(product)
        if not made.any():
            raise InputError(f"no mode produces {product!r}, demanded at {rate!r} per second; offer one that does")
        unit = demand_unit(table, product, rate)
        rows[f"demand {product}"] = (-made / unit, scaled * rate / unit, (scaled - 1.0) * rate / unit)
    member = {chip: (table.chip == k).astype(float) for k, chip in enumerate(table.chips)}
    for chip, count in needs.instances.items():
        rows[f"instances {chip}"] = (member[chip], 0.0, count)
    for chip, count in needs.always_on.items():
        rows[f"always on {chip}"] = (-member[chip], 0.0, -count)
    for name, value in needs.limits.items():
        rows[f"limit {name}"] = (table.rates(name), 0.0, value)
    counts = np.array([needs.instances.get(chip, math.inf) for chip in table.chips])
    worth = np.zeros(len(table)) if scaled else sign * table.rates(objective.quantity)
    return LinearProgramme(
        objective=np.append(worth, float(scaled)),
        matrix=np.array([np.append(row, last) for row, last, _ in rows.values()]).reshape(len(rows), len(table) + 1),
        rhs=np.array([limit for *_, limit in rows.values()]),
        upper=np.append(counts[table.chip], math.inf if scaled else 0.0),
        rows=tuple(rows),
    )
