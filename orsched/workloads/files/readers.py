"""Reading a trace file, whoever published it."""

from __future__ import annotations

from collections.abc import Collection
from os import PathLike
from pathlib import Path

from orsched.errors import InputError
from orsched.workloads.files.cells import Cells
from orsched.workloads.files.classes import read_classes
from orsched.workloads.files.csv_table import CsvTable
from orsched.workloads.files.dialects import CLASS_COLUMNS, recognise
from orsched.workloads.files.jsonl_table import JsonlTable
from orsched.workloads.files.opening import Limits
from orsched.workloads.files.parquet_table import ParquetTable
from orsched.workloads.files.prefix_columns import read_prefix_blocks
from orsched.workloads.files.table import TableFile
from orsched.workloads.lengths import JointSample
from orsched.workloads.workload import Workload

FORMATS: dict[str, type[CsvTable] | type[ParquetTable] | type[JsonlTable]] = {
    ".csv": CsvTable,
    ".csv.gz": CsvTable,
    ".parquet": ParquetTable,
    ".jsonl": JsonlTable,
    ".jsonl.gz": JsonlTable,
}
"""File name endings and who reads them."""


def suffix_of(path: Path) -> str:
    """Return the ending of `path` among those of `FORMATS`; raises InputError for another."""
    for suffix in FORMATS:
        if path.name.lower().endswith(suffix):
            return suffix
    raise InputError(f"{path}: unknown kind of file; its name must end in {', '.join(FORMATS)}")


def read_workload(path: str | PathLike[str], *, name: str | None = None, limits: Limits | None = None) -> Workload:
    """Read a trace with one request per row.

    The column names decide what it is: ours (``arrival_s, input_tokens, output_tokens``, optionally
    ``class_id``, ``class``, ``ttft_slo_s``, ``tpot_slo_s``, ``hash_ids``, ``hash_block_tokens``), Azure's (ISO 8601
    times, made seconds since the earliest), Mooncake's (milliseconds, optionally ``hash_ids``), Vidur's or
    BurstGPT's (seconds). Other columns are ignored. Nothing in the file is evaluated.

    Parameters
    ----------
    path : path-like
        File ending in ``.csv``, ``.csv.gz``, ``.parquet``, ``.jsonl`` or ``.jsonl.gz``.
    name : str, optional
        Name of the workload; by default the file's name without its ending.
    limits : Limits, optional
        How much is taken on; by default 512 MiB (2 GiB unpacked) and 20 million rows.

    Returns
    -------
    Workload
        The requests; sorted by arrival, with a notice, if they were not.

    Raises
    ------
    InputError
        Naming the file and, for a bad cell, row (first data row = 1), line and column; and what is accepted.
    """
    file = _open(path, limits or Limits())
    dialect, written = recognise(file.path, file.names(), arrivals=True)
    text = {written[column] for column in ("class", "hash_ids") if column in written}
    if dialect.seconds_per_unit is None:
        text.add(written[dialect.arrival])
    cells = _load(file, written.values(), text)
    inputs = cells.whole(written[dialect.inputs], least=1)
    outputs = cells.whole(written[dialect.outputs], least=1)
    if dialect.seconds_per_unit is None:
        arrivals = cells.since_first(written[dialect.arrival])
    else:
        arrivals = cells.durations(written[dialect.arrival], dialect.seconds_per_unit)
    label = name or file.path.name[: -len(suffix_of(file.path))]
    blocks = read_prefix_blocks(cells, written, inputs)
    if not any(column in written for column in CLASS_COLUMNS):
        return Workload.of(arrivals, inputs, outputs, name=label, prefix_blocks=blocks)
    ids, classes = read_classes(cells, written, len(inputs))
    return Workload.of(arrivals, inputs, outputs, class_id=ids, classes=classes, name=label, prefix_blocks=blocks)


def read_lengths(path: str | PathLike[str], *, limits: Limits | None = None) -> JointSample:
    """Read the two length columns of a trace, in any of the dialects; arrival times are not needed.

    Parameters and errors are those of `read_workload`.
    """
    file = _open(path, limits or Limits())
    dialect, written = recognise(file.path, file.names(), arrivals=False)
    columns = [written[dialect.inputs], written[dialect.outputs]]
    cells = _load(file, columns, ())
    return JointSample(*(cells.whole(column, least=1) for column in columns))


def _open(path: str | PathLike[str], limits: Limits) -> TableFile:
    file = Path(path)
    limits.check_file(file)
    return FORMATS[suffix_of(file)](file, limits)


def _load(file: TableFile, names: Collection[str], text: Collection[str]) -> Cells:
    return Cells(file, file.load(names, text))
