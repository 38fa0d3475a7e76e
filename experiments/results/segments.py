"""Segments: many finished tasks in one compressed file, named by its content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from experiments.results.parts import named
from experiments.results.schema import SCHEMA, checked
from experiments.results.sealed import DamagedError, opened, parquet_file, sealed
from orsched.atomic import replacing
from orsched.errors import InputError

MOST_SEGMENT_BYTES = 2 * 2**30
FULL_ROWS = 20_000
"""A segment with as many rows is not rewritten any more."""


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of a results folder.

    Parameters
    ----------
    folder : Path
        ``DIR/segments``.
    """

    folder: Path

    def paths(self) -> list[Path]:
        """All of them, in the order of their names."""
        return [self.folder / f"{name}.parquet" for name in sorted(named(self.folder, ".parquet"))]

    def tasks(self, path: Path) -> list[str]:
        """Ids of the tasks in a segment, read without its other columns and without checking its digest.

        Raises
        ------
        DamagedError
            When even that cannot be read.
        FileNotFoundError
            When it has been merged into another meanwhile.
        """
        with parquet_file(path, path) as file:
            try:
                found: list[str] = file.read(columns=["task"]).column("task").to_pylist()
            except (pa.ArrowException, OSError, ValueError, KeyError) as error:
                raise DamagedError(f"{path}: cannot be read ({str(error)[:200]})") from None
        return found

    def rows(self, path: Path) -> int:
        """Rows of a segment, from its footer; raises as `tasks`."""
        with parquet_file(path, path) as file:
            return int(file.metadata.num_rows)

    def read(self, path: Path, columns: Sequence[str] | None = None) -> pa.Table:
        """The finished tasks of a segment, `columns` of them.

        Raises
        ------
        DamagedError
            When the file is not as it was written.
        FileNotFoundError
            When it has been merged into another meanwhile.
        """
        try:
            with opened(path, MOST_SEGMENT_BYTES) as file:
                if columns is None:
                    return checked(file.read().replace_schema_metadata(None))
                found = file.read(columns=list(columns)).replace_schema_metadata(None)
                return found.select(list(columns)).cast(pa.schema([SCHEMA.field(name) for name in columns]))
        except DamagedError:
            raise
        except (pa.ArrowException, InputError, ValueError, KeyError) as error:
            raise DamagedError(f"{path}: {error}") from None

    def check(self, path: Path) -> None:
        """Raise `DamagedError` unless the file is as it was written, and holds finished tasks of this format."""
        self.read(path)

    def write(self, table: pa.Table) -> Path:
        """Write finished tasks, on the disk before it returns."""
        data = sealed(table.combine_chunks(), "zstd")
        target = self.folder / f"{hashlib.sha256(data).hexdigest()[:24]}.parquet"
        with replacing(target) as part:
            part.write_bytes(data)
        return target
