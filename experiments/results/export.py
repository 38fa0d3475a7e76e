"""The tidy table as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.results.csv_text import csv_text
from orsched.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".parquet")


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table whole or not at all: CSV (numbers as they are, nothing for a missing one) or Parquet.

    Parameters
    ----------
    frame : DataFrame
        The table.
    path : Path
        Ends in one of `ENDINGS`; missing folders are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(csv_text(frame))
        return
    with replacing(path) as part:
        frame.to_parquet(part, index=False, compression="zstd")
