"""Every setting at a glance: who is best where, and how far from the bound."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.setting import Setting
from experiments.report.tables.table import Cell, Column, Table
from orsched.gap_table import GAP_METRIC, percent


def overview_table(settings: Sequence[Setting]) -> Table | None:
    """One row per setting, one column per load, rate or scale; None where no policy has run anywhere."""
    ran = [setting for setting in settings if setting.ran]
    if not ran:
        return None
    places = dict.fromkeys(at for setting in ran for at in setting.columns)
    columns = [Column("workload and fleet"), *(Column(ran[0].at_text(at)) for at in places)]
    rows = [
        [
            Cell(setting.title, setting.title.casefold(), link=setting.name),
            *(_cell(setting, at) if at in setting.columns else Cell("") for at in places),
        ]
        for setting in ran
    ]
    return Table("Best in mean latency, and its gap to the best valid bound", columns, rows)


def _cell(setting: Setting, at: float) -> Cell:
    matrix = setting.matrix(GAP_METRIC)
    index = setting.columns.index(at)
    cells = dict(zip(matrix.policies, (cells[index] for cells in matrix.cells), strict=True))
    best = [policy for policy, cell in cells.items() if cell.standing == "best"]
    if best:
        gap = cells[best[0]].gap
        shown = "no valid bound" if gap is None else f"{percent(gap.estimate)} %"
        text = f"{', '.join(best)}: {shown}"
        return Cell(text, text.casefold(), "best")
    stable = [series for (series, column), row in setting.rows.items() if column == at and row.stable]
    if not stable:
        return Cell("no policy is stable", "no policy is stable", "bad")
    text = f"{stable[0]} alone is stable" if len(stable) == 1 else f"not ranked: {len(stable)} are stable"
    return Cell(text, text.casefold())
