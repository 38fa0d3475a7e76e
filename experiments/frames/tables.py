"""Gap tables and their matrices as data frames that leave nothing out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from orsched.gap_table import GapTable


def table_frame(table: GapTable) -> pd.DataFrame:
    """`GapTable.to_frame`, and in two more columns reason (why a policy did not run or is not stable) and settings."""
    from experiments.render.plain import plain

    frame = table.to_frame()
    frame.insert(frame.columns.get_loc("stable") + 1, "reason", [row.reason for row in table.rows])
    frame.insert(frame.columns.get_loc("seed") + 1, "settings", [plain(row.settings) for row in table.rows])
    return frame.astype({"reason": "object", "settings": "object"})


def matrix_frame(table: GapTable, metric: str) -> pd.DataFrame:
    """`GapMatrix.to_frame`, and in one more column undecided: why the policies could not be ranked there, or empty.

    What its document says of the whole (title, caption, level, notes) is in ``attrs``.
    """
    from experiments.render.matrix import matrix_document

    matrix = table.matrix(metric)
    frame = matrix.to_frame()
    frame["undecided"] = [column.undecided for _ in matrix.policies for column in matrix.columns]
    document = matrix_document(matrix)
    frame.attrs.update((key, value) for key, value in document.items() if key not in ("rows", "columns"))
    return frame
