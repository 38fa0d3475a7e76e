"""The gap matrix: policies by loads."""

from __future__ import annotations

from experiments.report.setting import Setting
from experiments.report.tables.table import Cell, Column, Table, words
from orsched.gap_matrix import Cell as MatrixCell
from orsched.gap_matrix import GapMatrix
from orsched.gap_table import percent

BEST, AS_GOOD = "★", "≈"
"""Marks of the best policy of a column, and of those not significantly worse."""


def gap_table(setting: Setting, metric: str) -> Table:
    """One row per series, one column per load, rate or scale, for one metric."""
    matrix = setting.matrix(metric)
    unit = "%" if matrix.quantity == "gap" else ""
    columns = [Column("policy"), Column("information", hint="what it may know about output lengths")]
    columns += [Column(setting.at_text(column.at), numeric=True, unit=unit) for column in matrix.columns]
    rows = [
        [words(series), words(information), *(_cell(matrix, cell) for cell in cells)]
        for series, information, cells in zip(matrix.policies, matrix.information, matrix.cells, strict=True)
    ]
    return Table(matrix.caption, columns, rows, _bounds(setting, matrix))


def _cell(matrix: GapMatrix, cell: MatrixCell) -> Cell:
    if cell.word or cell.estimate is None:
        return Cell(cell.word, None, "bad" if cell.word in ("unstable", "not run") else "")
    shown = percent(cell.estimate) if matrix.quantity == "gap" else cell.estimate
    mark, mood = {"best": (f" {BEST}", "best"), "not worse": (f" {AS_GOOD}", "good")}.get(cell.standing, ("", ""))
    return Cell(f"{shown}{mark}", shown.mean, mood)


def _bounds(setting: Setting, matrix: GapMatrix) -> str:
    places: dict[str, list[str]] = {}
    for column in matrix.columns:
        for text in (*(f"bound {label}" for label in column.bounds), column.undecided):
            if text:
                places.setdefault(text, []).append(setting.at_text(column.at))
    return "; ".join(f"{', '.join(at)}: {text}" for text, at in places.items())
