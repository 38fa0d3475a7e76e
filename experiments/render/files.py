"""Write a gap table or a gap matrix to files, each whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from html import escape
from pathlib import Path

from experiments.render import matrix
from experiments.render.drawing import ENDINGS as DRAWN
from experiments.render.figure import write_figure
from experiments.render.latex import to_latex
from experiments.render.markdown import to_markdown
from experiments.render.matrix_figure import write_matrix_figure
from orsched.atomic import replacing, write_text
from orsched.errors import InputError
from orsched.gap_matrix import GapMatrix
from orsched.gap_table import GapTable

_HEAD = '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'


def write_csv(table: GapTable | GapMatrix, path: Path) -> None:
    """One line per row of its `to_frame`."""
    write_text(path, table.to_frame().to_csv(index=False, lineterminator="\n"))


def write_parquet(table: GapTable | GapMatrix, path: Path) -> None:
    """Its `to_frame` as Parquet."""
    with replacing(path) as part:
        table.to_frame().to_parquet(part, index=False)


def write_markdown(table: GapTable, path: Path) -> None:
    """The text form as Markdown."""
    write_text(path, to_markdown(table))


def write_latex(table: GapTable, path: Path) -> None:
    """The text form as LaTeX."""
    write_text(path, to_latex(table))


def write_html(table: GapTable | GapMatrix, path: Path) -> None:
    """What a notebook shows, as a page of its own."""
    write_text(path, f"{_HEAD}<title>{escape(table.title)}</title>\n{table.to_html()}</html>\n")


WRITERS: Mapping[str, Callable[[GapTable, Path], None]] = {
    ".parquet": write_parquet,
    ".csv": write_csv,
    ".md": write_markdown,
    ".tex": write_latex,
    ".html": write_html,
    **dict.fromkeys(DRAWN, write_figure),
}
"""The writer of each file name ending."""

MATRIX_WRITERS: Mapping[str, Callable[[GapMatrix, Path], None]] = {
    ".parquet": write_parquet,
    ".csv": write_csv,
    ".md": lambda table, path: write_text(path, matrix.to_markdown(table)),
    ".tex": lambda table, path: write_text(path, matrix.to_latex(table)),
    ".html": write_html,
    **dict.fromkeys(DRAWN, write_matrix_figure),
}
"""Those of a matrix."""


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


def write(table: GapTable | GapMatrix, path: Path) -> None:
    """Write `table` in the form that the ending of `path` names, making missing folders.

    Raises
    ------
    InputError
        When the ending is unknown.
    """
    require_writable(path, MATRIX_WRITERS if isinstance(table, GapMatrix) else WRITERS)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(table, GapMatrix):
        MATRIX_WRITERS[path.suffix](table, path)
    else:
        WRITERS[path.suffix](table, path)
