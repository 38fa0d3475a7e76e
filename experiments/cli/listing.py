"""``orsched list``: the names that exist."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from experiments.cli.consoles import output_console, print_json
from experiments.cli.options import Json


class Kind(StrEnum):
    """What can be listed."""

    policies = "policies"
    workloads = "workloads"
    hardware = "hardware"
    routers = "routers"
    predictors = "predictors"


def listing(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    as_json: Json = False,
) -> None:
    """List the policies, workloads, hardware entries (sources: --json), routers or predictors that exist."""
    from experiments.names import LISTS, grid_of

    rows = LISTS[kind.value]()
    if as_json:
        print_json({kind.value: rows})
    else:
        output_console().print(grid_of(rows))
