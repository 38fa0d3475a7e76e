"""Recompute the fitted hardware entries: ``python -m experiments.calibration``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import orsched
from experiments.calibration.catalogue import fitted_entry, fitted_names
from experiments.calibration.entry import write_entry

_FOLDER = Path(orsched.__file__).parent / "data" / "hardware"


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the TOML entries.", exists=True, file_okay=False)] = _FOLDER,
    only: Annotated[list[str] | None, typer.Option(help="Names of entries; default: all fitted ones.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the errors, write nothing.")] = False,
) -> None:
    """Recompute the fitted entries, show their errors and rewrite their files in the folder."""
    report = Table("entry", "form", "regime", "points", "MAPE", "95th percentile")
    for name in fitted_names():
        if only and name not in only:
            continue
        path = folder / (name.replace("/", "_", 1) + ".toml")
        stated = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        entry = fitted_entry(name, stated)
        _report(report, entry)
        if not dry_run:
            write_entry(path, entry)
    Console().print(report)


def _report(report: Table, entry: dict[str, Any]) -> None:
    for error in entry["fit"]:
        p95 = f"{error['p95_ape']:.2%}"
        report.add_row(entry["name"], entry["form"], error["regime"], str(error["points"]), f"{error['mape']:.2%}", p95)
    for check in entry["cross_check"]:
        report.add_row(entry["name"], entry["form"], check["against"], "", f"{check['mape']:.2%}", "")


if __name__ == "__main__":
    typer.run(main)
