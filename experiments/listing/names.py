"""The names a user can give, with one line about each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from experiments.listing.hardware_list import (
    HARDWARE_LEGEND,
    chip_grid,
    chip_rows,
    hardware_grid,
    hardware_rows,
    model_grid,
    model_rows,
)

Rows = list[dict[str, Any]]


def _policies() -> Rows:
    import policies

    return [_policy(name) for name in policies.policy_names()]


def _policy(name: str) -> dict[str, Any]:
    """What is known about a policy; of a plugin that does not load, why."""
    import policies
    from orsched.errors import InputError

    try:
        recipe = policies.get_recipe(name)
    except InputError as error:
        return {"name": name, "information": "", "description": f"cannot be used: {error}"}
    return {"name": name, "information": recipe.information.label, "description": recipe.description}


def _workloads() -> Rows:
    from orsched.workloads.catalogue import workload_names, workload_source

    sources = (workload_source(name) for name in workload_names())
    return [{"name": source.name, "description": source.description} for source in sources]


def _routers() -> Rows:
    import policies

    return [
        {"name": name, "description": (policies.get_router(name).__doc__ or "").split("\n")[0]}
        for name in policies.router_names()
    ]


def _predictors() -> Rows:
    import policies

    kinds = (policies.PREDICTORS[name] for name in policies.predictor_names())
    return [{"name": kind.usage, "description": kind.description} for kind in kinds]


def plain_grid(rows: Rows) -> Table:
    """Show the rows of a list with their own columns."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in rows[0]:
        grid.add_column(column.replace("_", " "), no_wrap=column == "name")
    for row in rows:
        grid.add_row(*(Text(str(value)) for value in row.values()))
    return grid


@dataclass(frozen=True, slots=True)
class Listing:
    """One thing that can be listed.

    Parameters
    ----------
    rows : callable
        Everything about each name, in order of the names.
    grid : callable
        What a terminal shows of it.
    legend : str
        What to know to read the grid.
    """

    rows: Callable[[], Rows]
    grid: Callable[[Rows], Table] = plain_grid
    legend: str = ""


LISTS: Mapping[str, Listing] = {
    "policies": Listing(_policies),
    "workloads": Listing(_workloads),
    "hardware": Listing(hardware_rows, hardware_grid, HARDWARE_LEGEND),
    "chips": Listing(chip_rows, chip_grid),
    "models": Listing(model_rows, model_grid),
    "routers": Listing(_routers),
    "predictors": Listing(_predictors),
}
"""What can be listed."""
