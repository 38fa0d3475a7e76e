"""Read a profile file: CSV, gzipped CSV or Parquet, with limits."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from orsched.errors import InputError

MOST_BYTES = 64_000_000
"""Largest file that is read, in bytes on the disk."""
MOST_ROWS = 2_000_000
"""Most rows of a file."""
_SUFFIXES = (".csv", ".csv.gz", ".parquet")


def read_table(path: Path) -> pd.DataFrame:
    """Read a table by the ending of its name.

    Raises
    ------
    InputError
        When the file cannot be read, is too large, is of another kind or holds no rows.
    """
    if not path.name.endswith(_SUFFIXES):
        raise InputError(f"{path.name}: a profile is a file ending in {', '.join(_SUFFIXES)}")
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(f"{path.name}: {size:,} bytes, a profile file has at most {MOST_BYTES:,}; select rows")
        table = _parquet(path) if path.name.endswith(".parquet") else pd.read_csv(path, nrows=MOST_ROWS + 1)
    except InputError:
        raise
    except (OSError, ValueError, EOFError) as error:  # pandas and pyarrow raise subclasses of ValueError and OSError
        raise InputError(f"{path.name}: cannot be read as a table ({' '.join(str(error).split())[:200]})") from None
    if len(table) > MOST_ROWS:
        raise InputError(f"{path.name}: more than {MOST_ROWS:,} rows; select the ones that are needed")
    if table.empty:
        raise InputError(f"{path.name}: no rows")
    return table


def _parquet(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as parquet

    rows = parquet.ParquetFile(path).metadata.num_rows
    if rows > MOST_ROWS:
        raise InputError(f"{path.name}: {rows:,} rows, at most {MOST_ROWS:,}; select the ones that are needed")
    return pd.read_parquet(path)
