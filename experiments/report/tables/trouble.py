"""What did not go as planned: unstable, not run, failed, still missing."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.setting import Setting
from experiments.report.tables.table import Cell, Column, Table, words

MOST_TEXT = 2_000
"""Characters of a reason or a traceback that are shown; the results folder has the rest."""


def trouble_table(settings: Sequence[Setting], failures: Sequence[tuple[str, str]]) -> Table | None:
    """Rows for every unstable or unavailable policy and every failed task; None when there is no trouble.

    Parameters
    ----------
    settings : sequence of Setting
        All of them.
    failures : sequence of (str, str)
        Failed tasks: what they were, and the end of their traceback.
    """
    rows = []
    for setting in settings:
        for (series, at), row in setting.rows.items():
            if row.stable is None or row.stable is False:
                what = "not run" if row.stable is None else "unstable"
                place = f"{series}, {setting.title}, {setting.at_text(at)}"
                rows.append([words(place), Cell(what, what, "bad"), words(_short(row.reason))])
    rows += [[words(what), Cell("failed", "failed", "bad"), words(_short(text))] for what, text in failures]
    if not rows:
        return None
    return Table("What did not go as planned", [Column("where"), Column("what"), Column("why")], rows)


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else "… " + text[-MOST_TEXT:]
