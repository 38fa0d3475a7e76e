"""Write the datasheet and hypothetical hardware entries again: ``python -m experiments.chips``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import orsched
from experiments.chips.entries import write_entries

_FOLDER = Path(orsched.__file__).parent / "data" / "hardware"


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the TOML entries.", exists=True, file_okay=False)] = _FOLDER,
) -> None:
    """Write the entries into the folder and say how many."""
    Console().print(f"{len(write_entries(folder))} entries written to {folder}")


if __name__ == "__main__":
    typer.run(main)
