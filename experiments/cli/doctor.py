"""``orsched doctor``: whether this installation is sound."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Check the installation; exit with 1 when something needs attention."""
    from orsched.installation import doctor as examine

    report = examine()
    typer.echo(report.summary())
    if not report.ok:
        raise typer.Exit(1)
