"""Opening a file somebody sent: size limits, gzip, and one message for each way it can be broken."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a reader takes on before it refuses.

    Parameters
    ----------
    file_bytes : int
        Largest file.
    unpacked_bytes : int
        Most bytes that a gzip file may unpack to.
    rows : int
        Most requests.
    list_items : int
        Most items in all lists of a column together.
    """

    file_bytes: int = 512 * 2**20
    unpacked_bytes: int = 2 * 2**30
    rows: int = 20_000_000
    list_items: int = 200_000_000

    def check_file(self, path: Path) -> None:
        """Refuse what is no plain file, empty or too large; raises InputError."""
        if not path.exists():
            raise InputError(f"{path}: no such file; check the path (relative to {Path.cwd()})")
        if not path.is_file():
            raise InputError(f"{path}: is not a file; give the path of a CSV, Parquet or JSONL file")
        size = path.stat().st_size
        if size == 0:
            raise InputError(f"{path}: the file is empty; export or download it again")
        if size > self.file_bytes:
            raise InputError(
                f"{path}: {size / 2**20:.0f} MiB, more than the limit of {self.file_bytes / 2**20:.0f} MiB; "
                "cut the trace or drop the columns that are not needed"
            )

    def check_rows(self, path: Path, rows: int) -> None:
        """Refuse more rows than the limit, or none; raises InputError."""
        if rows == 0:
            raise InputError(f"{path}: has columns but no requests; a workload needs at least one")
        if rows > self.rows:
            raise InputError(f"{path}: more than the limit of {self.rows} rows; cut the trace")

    def check_items(self, path: Path, column: str, items: int) -> None:
        """Refuse more list items in a column than the limit; raises InputError."""
        if items > self.list_items:
            raise InputError(f"{path}: column {column} has more than {self.list_items} list items; cut the trace")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what a broken or unreadable file raises into an InputError that says what to do."""
    again = "copy or download it again"
    try:
        yield
    except EOFError:
        raise InputError(f"{path}: the compressed data stops early, the file is truncated; {again}") from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not valid gzip data ({error}); {again}, or drop .gz if it is plain") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}); check its permissions, or {again}") from None


def open_bytes(path: Path, limits: Limits) -> BinaryIO:
    """Open `path` for buffered reading, unpacking ``.gz`` up to the limit."""
    if path.suffix.lower() != ".gz":
        return path.open("rb")
    return io.BufferedReader(_Capped(path, limits.unpacked_bytes))  # type: ignore[type-var]


class _Capped(io.RawIOBase):
    """The unpacked bytes of a gzip file; raises InputError beyond `limit` of them (a decompression bomb)."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path, self._left = path, limit
        self._source = gzip.GzipFile(path, "rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._source.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise InputError(f"{self._path}: unpacks to more than the size limit; cut the trace")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._source.close()
        super().close()
