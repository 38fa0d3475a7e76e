"""``orsched report``: everything an experiment found, as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.consoles import error_console
from orsched.errors import InputError

FILE = "report.html"


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
    from experiments.findings import open_results
    from experiments.render.files import require_writable
    from experiments.report import write_report

    findings = open_results(results)
    path = results / FILE if out is None else out
    require_writable(path, (".html", ".htm"))
    if figures is not None and figures.exists() and not figures.is_dir():
        raise InputError(f"folder {figures}: is a file, not a folder")
    errors = error_console()
    with errors.status("writing the report"):
        written = write_report(findings, path, figures)
    errors.out(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)", highlight=False)
    if figures is not None:
        errors.out(f"wrote {len(written) - 1} files in {figures}", highlight=False)
