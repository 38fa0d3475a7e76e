"""Parquet files that carry a digest of themselves, so that one changed byte is noticed.

Parquet's own checksums cover the pages, not their headers nor the footer: a flipped bit there can change values
silently. The digest stands in the footer's key-value metadata and covers every other byte of the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq

from orsched.errors import InputError

KEY = b"orsched_sha256"
_BLANK = b"0" * 64
_MOST_HEADER_BYTES = 64 * 2**20


class DamagedError(InputError):
    """A file of a results folder that is not as it was written."""


def sealed(table: pa.Table, compression: str = "none", notes: Mapping[bytes, bytes] = MappingProxyType({})) -> bytes:
    """Write `table` as a Parquet file with its digest.

    Parameters
    ----------
    table : pyarrow.Table
        What to write.
    compression : str
        As pyarrow names it.
    notes : mapping of bytes to bytes
        More key-value metadata for the footer.
    """
    sink = pa.BufferOutputStream()
    options = {"use_dictionary": compression != "none", "write_statistics": False, "store_schema": False}
    with pq.ParquetWriter(sink, table.schema, compression=compression, **options) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({**notes, KEY: _BLANK})
    data = bytearray(sink.getvalue())
    start = _digest_at(data)
    if start is None:
        raise DamagedError("a Parquet file without room for its digest")
    data[start : start + len(_BLANK)] = hashlib.sha256(data).hexdigest().encode()
    return bytes(data)


def opened(path: Path, most_bytes: int) -> pq.ParquetFile:
    """Open a file that `sealed` wrote, after its digest was found right.

    Raises
    ------
    DamagedError
        When it is truncated, changed, larger than `most_bytes`, or no such file.
    FileNotFoundError
        When it is not there (any more).
    OSError
        When it cannot be read.
    """
    with path.open("rb") as file:
        data = bytearray(file.read(most_bytes + 1))
    if len(data) > most_bytes:
        raise DamagedError(f"{path}: more than {most_bytes:,} bytes")
    start = _digest_at(data)
    if start is None:
        raise DamagedError(f"{path}: truncated, or no file of a results folder")
    written = bytes(data[start : start + len(_BLANK)])
    data[start : start + len(_BLANK)] = _BLANK
    if hashlib.sha256(data).hexdigest().encode() != written:
        raise DamagedError(f"{path}: damaged (its digest is another)")
    return parquet_file(path, pa.BufferReader(pa.py_buffer(data)))


def parquet_file(path: Path, source: Path | pa.NativeFile) -> pq.ParquetFile:
    """Open `source` as Parquet with limits on its header; `path` names it in errors.

    Raises
    ------
    DamagedError
        When it is no Parquet file.
    """
    try:
        return pq.ParquetFile(source, pre_buffer=False, thrift_string_size_limit=_MOST_HEADER_BYTES)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedError(f"{path}: no Parquet file ({str(error)[:200]})") from None


def _digest_at(data: bytearray) -> int | None:
    """Where the 64 digits stand: after the last mention of the key, a length (two bytes) and a field's header."""
    key = data.rfind(KEY)
    if key < 0 or data[-4:] != b"PAR1":
        return None
    for start in range(key + len(KEY), key + len(KEY) + 8):
        digits = data[start : start + len(_BLANK)]
        if len(digits) == len(_BLANK) and all(digit in b"0123456789abcdef" for digit in digits):
            return start
    return None
