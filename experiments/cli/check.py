"""``orsched check``: published theorems as claims that run."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from experiments.cli.consoles import error_console, output_console, print_json
from experiments.cli.options import Json, Seed


def check(
    names: Annotated[list[str] | None, typer.Argument(help="Claims to check. Default: all.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and smaller instances.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Check claims on sampled instances: verdict, tightest slack, witness; exit with 1 when one fails."""
    from experiments.progress import progress_bar
    from proofs_check import CLAIMS, get_claim
    from proofs_check import check as examine

    claims = [get_claim(name) for name in names or sorted(CLAIMS)]
    rows: list[dict[str, Any]] = []
    with progress_bar(error_console(), "claims", len(claims)) as advance:
        for claim in claims:
            begin = time.perf_counter()
            verdict = examine(claim, seed, quick)
            rows.append(
                {
                    "name": claim.name,
                    "statement": claim.statement,
                    "source": claim.source,
                    "verdict": verdict.outcome,
                    "slack": verdict.slack,
                    "witness": dict(verdict.witness),
                    "instances": verdict.instances,
                    "confidence": verdict.confidence,
                    "seconds": time.perf_counter() - begin,
                }
            )
            advance()
    if as_json:
        print_json({"claims": rows})
    else:
        _show(rows)
    if any(row["verdict"] == "fails" for row in rows):
        raise typer.Exit(1)


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("claim", "verdict", "slack", "instances", "seconds", "source"):
        grid.add_column(column)
    for row in rows:
        cells = (row["name"], row["verdict"], f"{row['slack']:.3g}", str(row["instances"]), f"{row['seconds']:.2f}")
        grid.add_row(*(Text(cell) for cell in (*cells, row["source"])))
    console = output_console()
    console.print(grid)
    for row in rows:
        if row["verdict"] != "holds":
            console.print(Text(f"witness of {row['name']}: {json.dumps(row['witness'])}"))
