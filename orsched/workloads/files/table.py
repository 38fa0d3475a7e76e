"""What every file format offers to the readers."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

Column = NDArray[Any]
"""Cells of a column, shape ``(rows,)``: numbers, times, or Python objects where cells differ in type."""


class TableFile(Protocol):
    """A file with named columns, read only as far as asked."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    def names(self) -> list[str]:
        """Return the column names as written in the file."""
        ...

    def load(self, names: Collection[str], text: Collection[str]) -> dict[str, Column]:
        """Read the columns `names`; those also in `text` are left as text, not parsed as numbers."""
        ...

    def line_of(self, row: int) -> int | None:
        """Return the line of data row `row` (both from 1); None when the format has no lines."""
        ...
