"""Write the report of an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orsched.atomic import write_text

if TYPE_CHECKING:
    from experiments.findings import Findings


def write_report(findings: Findings, path: Path, figures: Path | None = None) -> list[Path]:
    """Write everything an experiment found as one HTML file that needs no network, whole or not at all.

    Parameters
    ----------
    findings : Findings
        Finished or not; what is missing is said.
    path : Path
        The file; missing folders are made.
    figures : Path, optional
        A folder for the charts as PNG, SVG and PDF files as well (`experiments.report.files`).

    Returns
    -------
    list of Path
        What was written, the page first.

    Raises
    ------
    InputError
        When the results cannot be used: a folder without its specification or plan.
    MismatchError
        When a policy did better than a pathwise bound allows.
    OSError
        When it cannot be written.
    """
    from experiments.report.building import contents_of
    from experiments.report.files import write_figures
    from experiments.report.page import page

    contents = contents_of(findings)
    text = page(contents)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    if figures is None:
        return [path]
    return [path, *write_figures([figure for part in contents.parts for figure in part.figures], figures)]
