"""Write a gap table to files, each whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from experiments.render.figure import write_figure
from experiments.render.latex import to_latex
from experiments.render.markdown import to_markdown
from orsched.atomic import replacing, write_text
from orsched.errors import InputError
from orsched.gap_table import GapTable


def write_csv(table: GapTable, path: Path) -> None:
    """One line per row of `GapTable.to_frame`."""
    write_text(path, table.to_frame().to_csv(index=False, lineterminator="\n"))


def write_parquet(table: GapTable, path: Path) -> None:
    """`GapTable.to_frame` as Parquet."""
    with replacing(path) as part:
        table.to_frame().to_parquet(part, index=False)


def write_markdown(table: GapTable, path: Path) -> None:
    """The text form as Markdown."""
    write_text(path, to_markdown(table))


def write_latex(table: GapTable, path: Path) -> None:
    """The text form as LaTeX."""
    write_text(path, to_latex(table))


WRITERS: Mapping[str, Callable[[GapTable, Path], None]] = {
    ".parquet": write_parquet,
    ".csv": write_csv,
    ".md": write_markdown,
    ".tex": write_latex,
    ".png": write_figure,
}
"""The writer of each file name ending."""


def require_writable(path: Path, endings: Collection[str] = WRITERS) -> None:
    """Refuse, before any work, a file name whose ending is unknown or whose place cannot be written.

    Parameters
    ----------
    path : Path
        Where something will be written.
    endings : collection of str
        What the name may end in; by default what a gap table can be written as.

    Raises
    ------
    InputError
        Saying what is allowed.
    """
    if path.suffix not in endings:
        raise InputError(f"file {path}: the name must end in one of {', '.join(endings)}")
    if path.is_dir():
        raise InputError(f"file {path}: is a folder")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise InputError(f"file {path}: {folder} is a file, not a folder")
    if not os.access(folder, os.W_OK):
        raise InputError(f"file {path}: no permission to write to {folder}")


def write(table: GapTable, path: Path) -> None:
    """Write `table` in the form that the ending of `path` names, making missing folders.

    Raises
    ------
    InputError
        When the ending is unknown.
    """
    require_writable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[path.suffix](table, path)
