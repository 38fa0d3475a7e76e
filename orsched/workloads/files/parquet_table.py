"""Parquet files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from orsched.errors import InputError
from orsched.workloads.files.opening import Limits
from orsched.workloads.files.table import Column


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """A Parquet file.

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
        """Return the names of the top-level columns; raises InputError if the file is cut or damaged."""
        with self._open() as file:
            return list(file.schema_arrow.names)

    def load(self, names: Collection[str], text: Collection[str]) -> dict[str, Column]:
        """Read columns, and only these; a null is None in a text column and NaN among numbers."""
        with self._open() as file:
            self.limits.check_rows(self.path, file.metadata.num_rows)
            self._check_items(file, names)
            table = file.read(columns=list(names))
            return {
                name: np.fromiter(table[name].to_pylist(), dtype=object, count=table.num_rows)
                if name in text and not str(table[name].type).startswith(("timestamp", "list", "large_list"))
                else table[name].to_numpy()
                for name in names
            }

    def line_of(self, row: int) -> int | None:
        """None: Parquet has no lines."""
        return None

    def _check_items(self, file: Any, names: Collection[str]) -> None:
        """Count the values of columns, those in lists included, before any is unpacked."""
        items: dict[str, int] = {}
        for group in map(file.metadata.row_group, range(file.metadata.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                name, _, inner = column.path_in_schema.partition(".")
                if inner and name in names:
                    items[name] = items.get(name, 0) + column.num_values
        for name, count in items.items():
            self.limits.check_items(self.path, name, count)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """Open the file; whatever the library says about damage becomes an InputError."""
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self.path, page_checksum_verification=True) as file:
                yield file
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{self.path}: not a complete Parquet file ({reason}); copy or download it again"
            ) from None
