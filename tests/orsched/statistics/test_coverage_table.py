"""The measured coverage of docs/statistics.md: what it promises holds, and the table is what the study gives.

The study takes 15 minutes on two cores; regenerate its table with
``ORSCHED_REGENERATE=1 python -m pytest --timeout 7200 tests/orsched/statistics/test_coverage_table.py -m slow``.
"""

import os
import re
from pathlib import Path

import pytest
from coverage_study import Row, table

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"
TABLE = re.compile(r"^\| interval at 95% \|.*?(?=\n\n)", flags=re.MULTILINE | re.DOTALL)


def documented() -> list[list[str]]:
    lines = TABLE.search(PAGE.read_text(encoding="utf-8"))[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("cells", documented(), ids=lambda cells: " ".join(cells[:3]))
def test_what_the_page_promises(cells):
    """Claim: each interval covers 93% to 97%, as far as its trials can tell, or its row says that it does not."""
    trials, covered = int(cells[3].replace(",", "")), float(cells[4].split("%")[0]) / 100
    row = Row(*cells[:3], trials, round(covered * trials), cells[5])
    low, high = (0.93, 1.0) if "at least 95%" in row.note or "or more" in row.note else (0.93, 0.97)
    assert row.compatible(low, high, risk=0.025) or "does not hold" in row.note


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_the_table_is_what_the_study_gives():
    """Claim: the study, run again, prints the page's table to the last digit."""
    found = "\n".join(table(workers=2))
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("ORSCHED_REGENERATE"):
        text = TABLE.sub(lambda _: found, text)
        PAGE.write_text(text, encoding="utf-8")
    assert TABLE.search(text)[0] == found
