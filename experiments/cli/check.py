"""``orsched check``: published theorems as claims that run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.consoles import error_console, output_console, print_json
from experiments.cli.options import Json, Seed, Workers

if TYPE_CHECKING:
    from experiments.checking import Checked

_IN_TABLE = 48
_BELOW_TABLE = 400


def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="Claims, or the first words of their names (`kong`). Default: all.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and smaller instances.")] = False,
    seed: Seed = 0,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Check claims on sampled instances: verdict, tightest slack, witness; exit with 1 when one fails."""
    from experiments.checking import check_claims
    from experiments.orders.checking import claims_of
    from experiments.progress import progress_bar

    claims = claims_of(names)
    with progress_bar(error_console(), "claims", len(claims)) as advance:
        checked = check_claims(claims, seed=seed, quick=quick, workers=workers, on_done=advance)
    if as_json:
        print_json({"claims": [each.to_json() for each in checked]})
    else:
        _show(checked)
    if any(each.verdict.outcome == "fails" for each in checked):
        raise typer.Exit(1)


def _show(checked: Sequence[Checked]) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("claim", "verdict", "slack", "seconds"):
        grid.add_column(column, no_wrap=True)
    for column in ("source", "witness"):
        grid.add_column(column, no_wrap=True, overflow="ellipsis", max_width=_IN_TABLE)
    for each in checked:
        verdict = each.verdict
        cells = (each.claim.name, verdict.outcome, f"{verdict.slack:.3g}", f"{each.seconds:.1f}", each.claim.source)
        grid.add_row(*map(Text, cells), Text(_witness(each, _IN_TABLE)))
    console = output_console()
    console.print(grid)
    for each in checked:
        if each.verdict.outcome != "holds":
            console.print(Text(f"{each.claim.name} {_SAYS[each.verdict.outcome]}: {each.claim.statement}"))
            console.print(Text(f"witness of {each.claim.name}: {_witness(each, _BELOW_TABLE)}"))


_SAYS = {"refuted": "is refuted, as expected", "fails": "FAILS"}


def _witness(each: Checked, length: int) -> str:
    text = json.dumps(each.to_json()["witness"])
    return text if len(text) <= length else f"{text[: length - 3]}..."
