"""Writing a workload to a file, whole or not at all."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from orsched.atomic import replacing
from orsched.errors import InputError
from orsched.request import RequestClass
from orsched.workloads.files.readers import suffix_of
from orsched.workloads.workload import Workload

if TYPE_CHECKING:
    import pandas as pd


def write_workload(workload: Workload, path: str | PathLike[str]) -> None:
    """Write `workload` under our own column names, so that `read_workload` gives it back exactly.

    Columns: ``arrival_s, input_tokens, output_tokens``; unless all requests are of the one default class
    also ``class_id`` and ``class``, and, if a class has an objective, ``ttft_slo_s`` and ``tpot_slo_s``
    (empty for a class without); with prefix blocks also ``hash_ids`` and ``hash_block_tokens``. The workload's name
    and notices are not written, nor is a class that has no request: it comes back as ``class-i``, or not at all if
    it is the last. Ids of prefix blocks come back as `PrefixBlocks.of` numbers them. Same workload, same bytes.

    Parameters
    ----------
    workload : Workload
        What to write.
    path : path-like
        File ending in ``.csv``, ``.csv.gz``, ``.parquet``, ``.jsonl`` or ``.jsonl.gz``. An existing file is
        replaced in one step; a failure leaves it as it was and no partial file behind.

    Raises
    ------
    InputError
        If the ending is unknown, a class name could not be read back, or the file cannot be written.
    """
    target = Path(path)
    write = _WRITERS[suffix_of(target)]
    frame = _frame(workload)
    try:
        with replacing(target) as draft, draft.open("xb") as file:
            write(frame, file)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error}); check the folder and its free space") from None


def _frame(workload: Workload) -> pd.DataFrame:
    frame = workload.to_frame()
    if workload.classes == (RequestClass(),):
        frame = frame.drop(columns="class_id")
    else:
        _add_classes(frame, workload)
    blocks = workload.prefix_blocks
    if blocks is not None:
        frame["hash_ids"] = [blocks.of_request(request) for request in range(len(blocks))]
        frame["hash_block_tokens"] = blocks.block_tokens
    return frame


def _add_classes(frame: pd.DataFrame, workload: Workload) -> None:
    for request_class in workload.classes:
        if not request_class.name or not request_class.name.isprintable():
            raise InputError(f"class name {request_class.name!r}: to be written it must be printable, not empty")
    classes = [workload.classes[i] for i in workload.class_id]
    frame["class"] = [c.name for c in classes]
    if any(c.slo for c in workload.classes):
        frame["ttft_slo_s"] = [c.slo.ttft_s if c.slo else None for c in classes]
        frame["tpot_slo_s"] = [c.slo.tpot_s if c.slo else None for c in classes]


def _csv(frame: pd.DataFrame, file: BinaryIO) -> None:
    frame.to_csv(file, index=False, lineterminator="\n")


def _parquet(frame: pd.DataFrame, file: BinaryIO) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    parquet.write_table(table, file, compression="zstd", write_page_checksum=True)


def _jsonl(frame: pd.DataFrame, file: BinaryIO) -> None:
    columns = [frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame]
    for cells in zip(*columns, strict=True):
        file.write(json.dumps(dict(zip(frame.columns, cells, strict=True))).encode() + b"\n")


def _packed(write: Callable[[pd.DataFrame, BinaryIO], None]) -> Callable[[pd.DataFrame, BinaryIO], None]:
    def write_packed(frame: pd.DataFrame, file: BinaryIO) -> None:
        # No name and no time in the header: the same workload gives the same bytes.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
            write(frame, packed)  # type: ignore[arg-type]

    return write_packed


_WRITERS: dict[str, Callable[[pd.DataFrame, BinaryIO], None]] = {
    ".csv": _csv,
    ".csv.gz": _packed(_csv),
    ".parquet": _parquet,
    ".jsonl": _jsonl,
    ".jsonl.gz": _packed(_jsonl),
}
