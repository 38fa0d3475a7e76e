"""Every bound, with what makes it believable."""

from __future__ import annotations

from experiments.report.setting import Setting
from experiments.report.tables.table import Cell, Column, Table, number, words

VALIDITY = {
    "pathwise": "holds for every policy on each of these sample paths",
    "fluid": "holds for long-run averages, not for each path: a policy may come out below it on a finite one",
    "asymptotic": "holds in a limit only; never used for a gap",
}
"""What the words in the column mean."""


def bounds_table(setting: Setting) -> Table:
    """One row per column and bound, averaged over the sample paths."""
    columns = [
        Column("bound"),
        Column(setting.axis_name, numeric=True),
        Column("metric"),
        Column("kind", hint="lower: no policy has less; upper: none has more"),
        Column("value", numeric=True, hint="mean over the sample paths, in the metric's unit"),
        Column("± 95%", numeric=True),
        Column("validity"),
        Column("certified", hint="recomputed exactly from a certificate, or combinatorial, on every path"),
        Column("paths", numeric=True),
    ]
    rows = [
        [
            words(row.name),
            Cell(f"{row.point:g}", row.point),
            words(row.metric),
            words(row.sense),
            number(row.value),
            number(row.half_width, ".2g"),
            words(row.validity),
            Cell("yes" if row.certified else "no", "yes" if row.certified else "no", "" if row.certified else "bad"),
            number(row.paths, "d"),
        ]
        for row in setting.bounds.astype(object).where(setting.bounds.notna(), None).itertuples(index=False)
    ]
    return Table("Bounds that no policy can beat", columns, rows)
