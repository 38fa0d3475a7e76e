"""``orsched report``: everything an experiment found, as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.consoles import error_console
from experiments.orders.reporting import FILE, report_order


def report(
    results: Annotated[Path, typer.Argument(help="Results folder of `orsched run`.")],
    out: Annotated[
        Path | None, typer.Option("--out", help=f"File to write, .html. Default: {FILE} in the results folder.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for the charts as PNG, SVG and PDF files as well.")
    ] = None,
) -> None:
    """Write one HTML file with tables and interactive charts that needs no network."""
    errors = error_console()
    with errors.status("writing the report"):
        path, *others = report_order(results, out, figures)
    errors.out(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)", highlight=False)
    if figures is not None:
        errors.out(f"wrote {len(others)} files in {figures}", highlight=False)
