"""Loose parts into segments, and damaged files out of the way."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import pyarrow as pa

from experiments.results.folder import ResultsFolder, once
from experiments.results.leftovers import no_plain_files, remove_leftovers
from experiments.results.sealed import DamagedError
from experiments.results.segments import FULL_ROWS

LEFTOVER_S = 3_600.0
"""Age at which a half-written file, which takes far less than a minute, is taken for that of a killed process."""


def set_damaged_aside(folder: ResultsFolder) -> tuple[str, ...]:
    """Move what cannot be used to ``damaged/``; what was wrong with each.

    That is segments that are not as they were written or not of this format, records of failures that cannot be read,
    and folders, pipes and links to nothing that are named like files of tasks. Their tasks count as neither finished
    nor failed from then on. Loose parts are checked when they are compacted.
    """
    found = []
    with folder.lock():
        for below, ending in (("parts", ".parquet"), ("segments", ".parquet"), ("failures", ".json")):
            for path in no_plain_files(folder.path / below, ending):
                found.append(_aside(folder, path, DamagedError(f"{path}: no plain file")))
        for task in sorted(folder.failed.names()):
            try:
                folder.failed.read(task)
            except DamagedError as error:
                found.append(_aside(folder, folder.failed.path(task), error))
        for path in folder.segments.paths():
            try:
                folder.segments.check(path)
            except DamagedError as error:
                found.append(_aside(folder, path, error))
    return tuple(found)


def compact(folder: ResultsFolder) -> tuple[str, ...]:
    """Move all loose parts into segments; damaged ones to ``damaged/``, returning what was wrong with each.

    Segments that are not full are merged with them. Readers and runners may go on meanwhile: a task is always in a
    part or in a segment, for a moment in both. One compaction at a time, a full segment after the other, so that
    an interrupted one keeps most of what it did.

    Raises
    ------
    OSError
        When a segment cannot be written; all parts are still there then.
    """
    damaged: list[str] = []
    with folder.lock():
        for place in (folder.path, *(folder.path / name for name in ("parts", "segments", "failures"))):
            remove_leftovers(place, time.time() - LEFTOVER_S)
        loose = sorted(folder.parts.names())
        for start in range(0, len(loose), FULL_ROWS):
            damaged += _together(folder, loose[start : start + FULL_ROWS])
    return tuple(damaged)


def _together(folder: ResultsFolder, loose: list[str]) -> list[str]:
    """Put some parts into segments, with the segments that are not full; the messages about damaged ones."""
    tables, read, damaged = [], [], []
    for task in loose:
        try:
            tables.append(folder.parts.read(task))
            read.append(folder.parts.path(task))
        except FileNotFoundError:
            continue
        except DamagedError as error:
            damaged.append(_aside(folder, folder.parts.path(task), error))
    for path in folder.segments.paths():
        try:
            if folder.segments.rows(path) < FULL_ROWS:
                tables.append(folder.segments.read(path))
                read.append(path)
        except DamagedError as error:
            damaged.append(_aside(folder, path, error))
    written = _write(folder, tables)
    for path in read:
        if path not in written:
            path.unlink(missing_ok=True)
    return damaged


def _write(folder: ResultsFolder, tables: list[pa.Table]) -> set[Path]:
    if not tables:
        return set()
    rows = once(pa.concat_tables(tables))
    return {folder.segments.write(rows.slice(start, FULL_ROWS)) for start in range(0, len(rows), FULL_ROWS)}


def _aside(folder: ResultsFolder, path: Path, error: DamagedError) -> str:
    target = folder.path / "damaged" / path.name
    if os.path.lexists(target):
        target = target.with_name(f"{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    os.replace(path, target)
    return f"{error}; moved to damaged/, its tasks are computed again"
