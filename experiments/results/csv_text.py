"""Large data frames as CSV: the bytes that pandas writes, each different value put into text once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

ROWS = 100_000
"""Rows that are text at a time."""


def csv_text(frame: pd.DataFrame) -> Iterator[str]:
    """Yield what `frame.to_csv` gives without the index and with Unix line ends, in pieces."""
    if len(frame.columns) < 2 or not all(_is_plain(column) for _, column in frame.items()):
        yield frame.to_csv(index=False, lineterminator="\n")
        return
    yield frame.iloc[:0].to_csv(index=False, lineterminator="\n")
    for start in range(0, len(frame), ROWS):
        part = frame.iloc[start : start + ROWS]
        columns = [_texts(column) for _, column in part.items()]
        yield "\n".join([*map(",".join, zip(*columns, strict=True)), ""])


def _is_plain(column: pd.Series[Any]) -> bool:
    """Whether it holds numbers of 64 bits, truths, or nothing but texts."""
    import pandas as pd

    if column.dtype == object:
        return pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty")
    return column.dtype in ("float64", "int64", "bool", "boolean", "str")


def _texts(column: pd.Series[Any]) -> list[str]:
    """Every value as a field."""
    import pandas as pd

    if column.dtype == "float64":
        codes, bits = pd.factorize(column.to_numpy().view(np.int64))  # as bits, which tell -0.0 from 0.0
        texts = ["" if value != value else repr(value) for value in bits.view(np.float64).tolist()]
    else:
        codes, values = pd.factorize(column)
        texts = _fields(values.tolist())
    found: list[str] = np.array([*texts, ""], dtype=object)[codes].tolist()
    return found


def _fields(values: Iterable[object]) -> list[str]:
    """As `csv` writes them, quoted where they must be."""
    found = []
    for value in values:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow((value, ""))
        found.append(line.getvalue()[:-2])
    return found
