"""Recompute the fitted hardware entries: ``python -m experiments.calibration``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import orsched
from experiments.calibration.calibration import Calibration
from experiments.calibration.catalogue import calibrate, fitted_names
from experiments.calibration.toml_text import toml_text
from orsched.atomic import write_text

_FOLDER = Path(orsched.__file__).parent / "data" / "hardware"


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the TOML entries.", exists=True, file_okay=False)] = (_FOLDER),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the errors, write nothing.")] = False,
) -> None:
    """Refit every fitted entry in the folder, show the errors and rewrite its TOML file."""
    report = Table("entry", "regime", "points", "MAPE", "95th percentile")
    for path in sorted(folder.glob("*.toml")):
        entry = tomllib.loads(path.read_text(encoding="utf-8"))
        if entry["name"] not in fitted_names():
            continue
        calibration = calibrate(entry)
        _report(report, entry, calibration)
        if not dry_run:
            write_text(path, toml_text({**entry, **calibration.tables()}))
    Console().print(report)


def _report(report: Table, entry: dict[str, Any], calibration: Calibration) -> None:
    for error in calibration.fit.errors:
        report.add_row(entry["name"], error.regime, str(error.points), f"{error.mape:.2%}", f"{error.p95_ape:.2%}")
    for check in calibration.cross_checks:
        report.add_row(entry["name"], check.against, "", f"{check.mape:.2%}", "")


if __name__ == "__main__":
    typer.run(main)
