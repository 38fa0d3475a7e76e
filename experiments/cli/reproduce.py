"""``orsched reproduce``: a paper's experiments, run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json


def reproduce(
    paper: Annotated[str, typer.Argument(help="What to reproduce: wait, ares, polyserve.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Few and short sample paths; the page is named PAPER-quick.md.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder of the page and its figures.")] = Path(
        "docs/reproductions"
    ),
    seed: options.Seed = 0,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Run a paper's experiments and compare them with what was published: a page with figures.

    An interrupted run goes on where it stopped when it is started again with the same options.
    """
    from experiments.progress import progress_bar
    from experiments.reproductions import get_reproduction
    from experiments.reproductions.plan import compute_cells
    from experiments.reproductions.store import CellStore
    from experiments.reproductions.writing import CELLS, require_page, stem_of, write_page

    reproduction = get_reproduction(paper)
    stem = stem_of(paper, quick)
    require_page(out, stem)
    plan = reproduction.plan(quick, seed)
    store = CellStore(out / CELLS)
    errors = error_console()
    with progress_bar(errors, "cells", len(plan.tasks)) as advance:
        report = plan.report(compute_cells(plan.tasks, store, workers=workers, on_cell_done=advance))
    written = write_page(report, out, stem)
    store.clear()
    for path in written:
        errors.out(f"wrote {path}", highlight=False)
    if as_json:
        print_json(report.document())
    else:
        output_console().print(page_outcome(written[0]))


def page_outcome(path: Path) -> str:
    """The line of the page that counts the verdicts."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return lines[lines.index("## Outcome") + 2]
