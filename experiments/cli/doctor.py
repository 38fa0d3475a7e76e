"""``orsched doctor``: whether this installation is sound."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Check the installation and the policies of other distributions; exit with 1 when something needs attention."""
    from experiments.orders.examining import examined

    report = examined()
    typer.echo(report.summary())
    if not report.ok:
        raise typer.Exit(1)
