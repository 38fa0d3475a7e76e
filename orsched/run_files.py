"""Runs on disk: Parquet (bit-exact, compact) or CSV (the same numbers, readable anywhere).

Both hold one row per request, with the columns of `orsched.run_columns.REQUEST_COLUMNS`, and one JSON object
with the names, the fleet's limits and the per-instance integrals: in Parquet under the schema metadata key
``orsched_run``, in CSV on the first line after ``# orsched_run ``. Reading checks it all and runs nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from orsched.atomic import replacing
from orsched.errors import InputError
from orsched.run import Run
from orsched.run_columns import Columns, build_run, columns_of, header_text, read_header, request_columns

MAX_REQUESTS = 50_000_000
MAX_HEADER_BYTES = 64 * 2**20

_KEY = "orsched_run"
_PARSE: dict[str, Callable[[str], float]] = {"float64": float, "int64": int}


def save_run(run: Run, path: str | Path) -> None:
    """Write a run; an existing file is replaced at once, and only when the new one is complete.

    Parameters
    ----------
    run : Run
        The run.
    path : str or Path
        Ends in ``.parquet`` or ``.csv``.

    Raises
    ------
    InputError
        For another ending, or when the file cannot be written.
    """
    target = Path(path)
    write = _write_parquet if _suffix(target) == ".parquet" else _write_csv
    try:
        with replacing(target) as part:
            write(part, header_text(run), request_columns(run))
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from None


def load_run(path: str | Path) -> Run:
    """Read a run that `save_run` wrote, checking that it is one.

    Parameters
    ----------
    path : str or Path
        Ends in ``.parquet`` or ``.csv``.

    Raises
    ------
    InputError
        Naming the file and what is wrong: unreadable, not a run, a missing or mistyped column, a bad value
        with its row, more than `MAX_REQUESTS` requests.
    """
    source = Path(path)
    read: Callable[[Path], tuple[dict[str, Any], Columns]] = (
        _read_parquet if _suffix(source) == ".parquet" else _read_csv
    )
    try:
        return build_run(*read(source))
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror or error}") from None
    except (ValueError, OverflowError, csv.Error) as error:
        raise InputError(f"{source} is not a run file: {error}") from None


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".csv"):
        raise InputError(f"run file {str(path)!r}: the name must end in .parquet or .csv")
    return suffix


def _write_parquet(path: Path, header: str, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns).replace_schema_metadata({_KEY: header}), path)


def _write_csv(path: Path, header: str, columns: Columns) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {_KEY} {header}\n")
        rows = csv.writer(file, lineterminator="\n")  # writes the shortest decimals that read back exactly
        rows.writerow(columns)
        rows.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))


def _read_parquet(path: Path) -> tuple[dict[str, Any], Columns]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = {pa.float64(): "float64", pa.int64(): "int64"}
    try:
        with pq.ParquetFile(path, thrift_string_size_limit=4 * MAX_HEADER_BYTES) as file:
            schema = file.schema_arrow
            header = read_header((schema.metadata or {}).get(_KEY.encode(), b"").decode())
            kinds = columns_of(header)
            _check_shape({f.name: names.get(f.type, str(f.type)) for f in schema}, kinds, file.metadata.num_rows)
            table = file.read()
    except pa.ArrowException as error:
        raise InputError(f"not a Parquet file: {error}") from None
    for name in kinds:
        if table[name].null_count:
            raise InputError(f"column {name!r} has {table[name].null_count} nulls")
    return header, {name: table[name].to_numpy() for name in kinds}


def _read_csv(path: Path) -> tuple[dict[str, Any], Columns]:
    start = f"# {_KEY} "
    with path.open(encoding="utf-8", newline="") as file:
        first = file.readline(MAX_HEADER_BYTES)
        if not first.startswith(start):
            raise InputError(f"the first line does not start with {start!r}")
        header = read_header(first[len(start) :])
        kinds = columns_of(header)
        reader = csv.reader(file)
        names = next(reader, [])
        rows = list(islice(reader, MAX_REQUESTS + 1))
    _check_shape({name: kinds.get(name, "") for name in names}, kinds, len(rows))
    cells = dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))
    return header, {n: np.array([_PARSE[k](cell) for cell in cells[n]], k) for n, k in kinds.items()}


def _check_shape(found: dict[str, str], kinds: dict[str, str], rows: int) -> None:
    wrong = {name: found.get(name) for name, kind in kinds.items() if found.get(name) != kind}
    extra = sorted(found.keys() - kinds)
    if wrong or extra:
        problems = [f"{n!r} is {k or 'missing'}, must be {kinds[n]}" for n, k in wrong.items()]
        problems += [f"{n!r} is unknown" for n in extra]
        raise InputError(f"column {'; column '.join(problems)}")
    if rows > MAX_REQUESTS:
        raise InputError(f"{rows} requests: at most {MAX_REQUESTS} are read")
