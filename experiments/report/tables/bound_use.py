"""Which bounds gaps were measured against."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.setting import Setting
from experiments.report.tables.table import Cell, Column, Table, words


def bound_use_table(settings: Sequence[Setting]) -> Table | None:
    """One row per bound, with the metrics and the settings where it was the best; None without any gap."""
    used: dict[tuple[str, str, bool], tuple[dict[str, None], dict[str, None]]] = {}
    for setting in settings:
        for row in setting.rows.values():
            for metric, gap in row.gaps.items():
                metrics, titles = used.setdefault((gap.bound, gap.validity, gap.certified), ({}, {}))
                metrics[metric] = None
                titles[setting.title] = None
    if not used:
        return None
    rows = [
        [
            words(bound),
            words(validity),
            Cell("yes" if certified else "no", "yes" if certified else "no", "" if certified else "bad"),
            words(", ".join(metrics)),
            words("all" if len(titles) == len(settings) else "; ".join(titles)),
        ]
        for (bound, validity, certified), (metrics, titles) in used.items()
    ]
    columns = [Column(title) for title in ("measured against", "validity", "certified", "gaps of", "in the settings")]
    return Table("Bounds that gaps are measured against", columns, rows)
