"""JSON lines, plain or gzip-compressed: one object for each request."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from orsched.errors import InputError
from orsched.workloads.files.opening import Limits, open_bytes, reading
from orsched.workloads.files.table import Column

_LONGEST_LINE = 16 * 2**20


@dataclass(frozen=True, slots=True)
class JsonlTable:
    """A file with a JSON object on every line; blank lines are skipped.

    Parameters
    ----------
    path : Path
        The file.
    limits : Limits
        Largest file accepted.
    """

    path: Path
    limits: Limits = field(default_factory=Limits)

    def names(self) -> list[str]:
        """Return the keys of the first object; raises InputError when there is none."""
        for _, record in self._records():
            return list(record)
        raise InputError(f"{self.path}: the file has no JSON line; export it again")

    def load(self, names: Collection[str], text: Collection[str]) -> dict[str, Column]:
        """Read the values under `names`; a key that a line lacks gives None."""
        values: dict[str, list[Any]] = {name: [] for name in names}
        items = dict.fromkeys(names, 0)
        for rows, (_, record) in enumerate(self._records(), start=1):
            self.limits.check_rows(self.path, rows)
            for name, cells in values.items():
                cell = record.get(name)
                if isinstance(cell, list):
                    items[name] += len(cell)
                    self.limits.check_items(self.path, name, items[name])
                cells.append(cell)
        return {name: _column(cells) for name, cells in values.items()}

    def line_of(self, row: int) -> int | None:
        """Return the line of data row `row`, by reading the file up to there."""
        for index, (line, _) in enumerate(self._lines(), start=1):
            if index == row:
                return line
        return None

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield number (from 1) and content of every line that is not blank."""
        with reading(self.path), open_bytes(self.path, self.limits) as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE:
                    raise InputError(f"{self.path} line {number}: longer than {_LONGEST_LINE >> 20} MiB")
                if line.strip():
                    yield number, line

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in self._lines():
            try:
                record = json.loads(line.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"{self.path} line {number}: not a JSON object ({error}); the line is cut or damaged, "
                    "remove it or export the file again"
                ) from None
            if not isinstance(record, dict):
                raise InputError(f"{self.path} line {number}: {str(record)[:40]!r} is not a JSON object")
            yield number, record


def _column(cells: list[Any]) -> Column:
    """Numbers as float64 where all cells are numbers, else the objects as they are."""
    if set(map(type, cells)) <= {int, float}:
        try:
            return np.array(cells, dtype=float)
        except OverflowError:
            pass
    return np.fromiter(cells, dtype=object, count=len(cells))
