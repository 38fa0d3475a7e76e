"""Which bounds gaps were measured against."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.setting import Setting
from experiments.report.tables.table import Cell, Column, Table, words


def bound_use_table(settings: Sequence[Setting]) -> Table | None:
    """One row per setting, metric and bound; None without any gap."""
    places: dict[tuple[str, str, str, str, bool], list[str]] = {}
    for setting in settings:
        for (_, at), row in setting.rows.items():
            for metric, gap in row.gaps.items():
                key = (setting.title, metric, gap.bound, gap.validity, gap.certified)
                found = places.setdefault(key, [])
                if setting.at_text(at) not in found:
                    found.append(setting.at_text(at))
    if not places:
        return None
    rows = [
        [
            words(metric),
            words(bound),
            words(validity),
            Cell("yes" if certified else "no", "yes" if certified else "no", "" if certified else "bad"),
            words(", ".join(at)),
            words(title),
        ]
        for (title, metric, bound, validity, certified), at in places.items()
    ]
    titles = ("gap of", "measured against", "validity", "certified", "at", "setting")
    return Table("Bounds that gaps are measured against", [Column(title) for title in titles], rows)
