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
    chips = "chips"
    models = "models"
    routers = "routers"
    predictors = "predictors"


def listing(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    as_json: Json = False,
) -> None:
    """List the policies, workloads, hardware, chips, models (sources: --json), routers or predictors that exist."""
    from experiments.listing.names import LISTS

    listed = LISTS[kind.value]
    rows = listed.rows()
    if as_json:
        print_json({kind.value: rows})
    else:
        console = output_console()
        console.print(listed.grid(rows))
        if listed.legend:
            console.print(listed.legend, soft_wrap=True)
