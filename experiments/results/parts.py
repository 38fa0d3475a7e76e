"""Loose parts: one finished task in one small file, whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from experiments.results.schema import Row, checked, row_table
from experiments.results.sealed import DamagedError, opened, sealed
from orsched.errors import InputError

MOST_PART_BYTES = 64 * 2**20
TASK = re.compile(r"[0-9a-f]{24}")
"""An id of a task."""

ENDING = ".parquet"


def encode(row: Row) -> bytes:
    """One finished task as the bytes of its part; pure, so that it may run on a worker.

    Raises
    ------
    InputError
        When the row does not follow the schema.
    """
    return sealed(row_table(row))


def named(folder: Path, ending: str) -> set[str]:
    """Ids of the tasks that have a plain file with this ending in `folder`; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            stems = [entry.name[: -len(ending)] for entry in entries if entry.name.endswith(ending) and entry.is_file()]
    except FileNotFoundError:
        return set()
    return set(filter(TASK.fullmatch, stems))


@dataclass(frozen=True, slots=True)
class Parts:
    """The loose parts of a results folder.

    Parameters
    ----------
    folder : Path
        ``DIR/parts``.
    """

    folder: Path

    def names(self) -> set[str]:
        """Ids of the tasks that have a part, by the names of the files alone."""
        return named(self.folder, ENDING)

    def write(self, task: str, data: bytes) -> None:
        """Put a part in its place in one step.

        It is not forced to the disk, which would cost more than all the rest: a part that a power cut emptied has no
        valid digest, and is computed again.
        """
        target = self.path(task)
        beside = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
        try:
            beside.write_bytes(data)
            os.replace(beside, target)
        except OSError as error:
            error.filename = str(target)  # the file that is meant, not the one beside it
            raise
        finally:
            beside.unlink(missing_ok=True)

    def read(self, task: str) -> pa.Table:
        """One finished task as a table of one row.

        Raises
        ------
        DamagedError
            When the file is not as it was written, or holds another task.
        FileNotFoundError
            When it has been compacted meanwhile.
        """
        path = self.path(task)
        try:
            with opened(path, MOST_PART_BYTES) as file:
                table = checked(file.read(use_threads=False).replace_schema_metadata(None))
        except DamagedError:
            raise
        except (pa.ArrowException, InputError, ValueError) as error:
            raise DamagedError(f"{path}: {error}") from None
        if table["task"].to_pylist() != [task]:
            raise DamagedError(f"{path}: holds another task than its name says")
        return table

    def path(self, task: str) -> Path:
        """Where the part of a task is."""
        return self.folder / f"{task}{ENDING}"
