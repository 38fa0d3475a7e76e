"""What a setting's results say, in sentences."""

from __future__ import annotations

from experiments.report.setting import Setting
from orsched.gap_matrix import GapMatrix, Standing
from orsched.gap_table import GAP_METRIC, GapRow, percent


def sentences(setting: Setting) -> list[str]:
    """One sentence per column: who is best, how far from the bound, who is as good, who failed."""
    if not setting.ran:
        return ["No policy has run."]
    matrix = setting.matrix(GAP_METRIC)
    return [_sentence(setting, matrix, index) for index in range(len(matrix.columns))]


def _sentence(setting: Setting, matrix: GapMatrix, index: int) -> str:
    column = matrix.columns[index]
    place = setting.at_text(column.at)
    standings: dict[Standing, list[str]] = {}
    for policy, cells in zip(matrix.policies, matrix.cells, strict=True):
        standings.setdefault(cells[index].standing, []).append(policy)
    parts = [_best(setting, column.at, standings, column.undecided)]
    if "best" in standings:
        others = standings.get("not worse", [])
        worse = standings.get("worse", [])
        if others:
            parts.append(f"not significantly worse: {', '.join(others)}")
        if worse and not others and not column.left_out:
            parts.append("all other stable policies are significantly worse")
        elif worse:
            parts.append(f"significantly worse: {', '.join(worse)}")
    if column.left_out:
        parts.append(f"not ranked with them: {', '.join(column.left_out)}")
    for word in ("unstable", "not run"):
        named = [p for p, cells in zip(matrix.policies, matrix.cells, strict=True) if cells[index].word == word]
        if named:
            parts.append(f"{word}: {', '.join(named)}")
    return f"{place[0].upper()}{place[1:]}: {'; '.join(parts)}."


def _best(setting: Setting, at: float, standings: dict[Standing, list[str]], undecided: str) -> str:
    best = standings.get("best", [])
    if not best:
        stable = [series for (series, column), row in setting.rows.items() if column == at and row.stable]
        if not stable:
            return "no policy is stable"
        kept = f"{', '.join(stable)} {'is' if len(stable) == 1 else 'are'} stable"
        return f"{kept}{_numbers(setting.rows[stable[0], at]) if len(stable) == 1 else ''}; {undecided or 'not ranked'}"
    row = setting.rows[best[0], at]
    verb = "is" if len(best) == 1 else "are"
    return f"{' and '.join(best)} {verb} best in mean latency{_numbers(row)}"


def _numbers(row: GapRow) -> str:
    gap = row.gaps.get(GAP_METRIC)
    latency = f": {row.metrics[GAP_METRIC]} s"
    if gap is None:
        return f"{latency}, no valid bound"
    return f"{latency}, {percent(gap.estimate)}% above what no policy can beat ({gap.label})"
