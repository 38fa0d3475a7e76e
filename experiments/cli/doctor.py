"""``orsched doctor``: whether this installation is sound."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Check the installation and the policies of other distributions; exit with 1 when something needs attention."""
    from orsched.installation import DoctorReport
    from orsched.installation import doctor as examine

    report = examine()
    if report.ok:  # else the package that is imported here may be another of its name
        from policies.plugins import findings
        from policies.registry import RECIPES

        report = DoctorReport((*report.findings, *findings(RECIPES)))
    typer.echo(report.summary())
    if not report.ok:
        raise typer.Exit(1)
