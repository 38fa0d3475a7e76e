"""What ``orsched report`` is asked for, and the files that it writes."""

from __future__ import annotations

from pathlib import Path

from orsched.errors import InputError

FILE = "report.html"


def report_order(results: Path, out: Path | None, figures: Path | None) -> list[Path]:
    """Write the report of a results folder, and its charts if a folder is given; the report is the first file.

    Raises
    ------
    InputError
        When the results cannot be read, or the files not be written.
    """
    from experiments.findings import open_results
    from experiments.render.files import require_writable
    from experiments.report import write_report

    findings = open_results(results)
    path = results / FILE if out is None else out
    require_writable(path, (".html", ".htm"))
    if figures is not None and figures.exists() and not figures.is_dir():
        raise InputError(f"folder {figures}: is a file, not a folder")
    return write_report(findings, path, figures)
