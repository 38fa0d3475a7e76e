"""From the cells of a file to checked numbers; an error names file, row, line and column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orsched.checks import MAX_TOKENS
from orsched.errors import InputError
from orsched.work import Floats, Ints
from orsched.workloads.files.table import Column, TableFile


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The columns of a file that were asked for.

    Parameters
    ----------
    file : TableFile
        Where they come from.
    columns : mapping of str to ndarray
        Cells of each column under its name in the file, all of shape ``(rows,)``.
    """

    file: TableFile
    columns: Mapping[str, Column]

    def whole(self, column: str, *, least: int, most: int = MAX_TOKENS) -> Ints:
        """Whole numbers from `least` to `most`, shape ``(rows,)``; InputError at the first other cell."""
        numbers = _numbers(self.columns[column])
        self._check(column, (numbers >= least) & (numbers == np.floor(numbers)), f"a whole number >= {least}")
        self._check(column, numbers <= most, f"a whole number <= {most}")
        return numbers.astype(np.int64)

    def durations(self, column: str, seconds_per_unit: float) -> Floats:
        """Seconds, shape ``(rows,)``, from finite numbers >= 0; raises InputError at the first other cell."""
        numbers = _numbers(self.columns[column])
        unit = {1.0: "seconds", 1e-3: "milliseconds"}[seconds_per_unit]
        self._check(column, np.isfinite(numbers) & (numbers >= 0), f"a finite number of {unit} >= 0")
        return numbers if seconds_per_unit == 1 else numbers / round(1 / seconds_per_unit)

    def since_first(self, column: str) -> Floats:
        """Seconds since the earliest of ISO 8601 times, shape ``(rows,)``; InputError at a bad cell."""
        import pandas as pd

        cells = self.columns[column]
        if cells.dtype.kind != "M":
            self._check(column, np.array([isinstance(cell, str) for cell in cells]), "an ISO 8601 time")
        times = pd.to_datetime(pd.Series(cells), format="ISO8601", utc=True, errors="coerce")
        self._check(column, times.notna().to_numpy(), "an ISO 8601 time such as 2023-11-16 18:15:46.68")
        return np.asarray((times - times.min()).dt.total_seconds().to_numpy())

    def names(self, column: str) -> NDArray[np.object_]:
        """Text, not empty, shape ``(rows,)``; raises InputError at the first empty or missing cell."""
        cells = self.columns[column]
        self._check(column, np.array([cell is not None and str(cell) != "" for cell in cells]), "a name")
        return np.array([str(cell) for cell in cells], dtype=object)

    def optional(self, column: str) -> Floats:
        """Numbers, NaN where the cell is empty, shape ``(rows,)``; InputError at the first other cell."""
        cells = self.columns[column]
        numbers = _numbers(cells)
        empty = np.array([cell is None or cell == "" or cell != cell for cell in cells])
        self._check(column, empty | ~np.isnan(numbers), "a number or empty")
        return numbers

    def refuse(self, row: int, column: str, problem: str) -> InputError:
        """Build the error for the cell in data row `row` (from 0) of `column`."""
        line = self.file.line_of(row + 1)
        where = f"{self.file.path} row {row + 1}" + ("" if line is None else f" (line {line})")
        return InputError(f"{where}, column {column}: {problem}")

    def _check(self, column: str, good: NDArray[np.bool_], wanted: str) -> None:
        if good.all():
            return
        row = int(np.argmin(good))
        cell: Any = self.columns[column][row]
        shown = cell.item() if isinstance(cell, np.generic) else cell
        problem = "the cell is empty," if shown is None or shown == "" else f"{_short(shown)} is"
        raise self.refuse(row, column, f"{problem} not {wanted}")


def _numbers(cells: Column) -> Floats:
    """Cells as float64; NaN where a cell is no number."""
    if cells.dtype.kind in "iuf":
        return cells.astype(np.float64)
    return np.array([_number(cell) for cell in cells], dtype=float)


def _number(cell: Any) -> float:
    if isinstance(cell, bool | np.bool_) or (isinstance(cell, str) and "_" in cell):  # Python reads "1_0" as 10
        return np.nan
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
