"""The committed page of WAIT is what the command writes: cells and verdicts recomputed, figures there, links sound."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from experiments.paths.streams import Stream
from experiments.render.markdown import escaped
from experiments.reproductions.figure import drawn
from experiments.reproductions.published import PublishedConstant
from experiments.reproductions.sampling import observe, sample
from experiments.reproductions.study import Study
from experiments.reproductions.tuning import tuned_policy
from experiments.reproductions.verdict import Outcome
from experiments.reproductions.wait import WAIT
from orsched.statistics.estimate import estimate

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "reproductions" / "wait.md").read_text(encoding="utf-8")
SWEEPS = {sweep.name: sweep for sweep in WAIT.sweeps(False)}
LARGEST_FIGURE = 100_000
SEED = 0


def rows_of(sweep):
    """The result rows of a sweep on the page, as lists of cells."""
    section = PAGE.split("(`" + sweep + "`)\n", 1)[1].split("\n#", 1)[0]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line[:3] > "| -"
    ]


def shown(sweep, family, rate):
    """Cap and mean latency of a cell, as on the page."""
    (row,) = (row for row in rows_of(sweep) if (row[0], row[3]) == (f"{rate:g}", family))
    return int(re.match(r"cap (\d+)", row[5])[1]), row[6]


@pytest.mark.parametrize(
    ("sweep", "family", "rate"),
    [("single", "sarathi", 12), ("single-cap-21", "wait", 22), ("two-types-cap-30", "nested-wait", 22)],
)
def test_numbers_are_those_of_the_command(sweep, family, rate):
    """Claim: simulating a cell's sample paths with the cap on the page gives the mean and interval on the page."""
    plan = SWEEPS[sweep]
    (point,) = (p for p in plan.points if p.rate_per_s == rate)
    cap, latency = shown(sweep, family, rate)
    policy = tuned_policy(plan, plan.family(family), cap)
    rows = [
        observe(plan, sample(plan, point, Stream.WORKLOAD, number, SEED), policy, 0.9, number, SEED)
        for number in range(plan.replications)
    ]
    assert str(estimate([row["latency_mean_s"] for row in rows])) == latency


def test_constants_and_their_verdicts_are_those_of_the_software():
    """Claim: every computed constant on the page is computed again to the same digits and the same verdict."""
    constants = [item for item in WAIT.published() if isinstance(item, PublishedConstant)]
    assert constants
    for item in constants:
        entry = item.judged(Study((), SEED, {}))
        cells = (entry.what, entry.published, entry.mark.value, entry.ours, entry.verdict.outcome.value)
        assert f"| {' | '.join(map(escaped, cells))} |" in PAGE


def test_every_published_number_is_on_the_page_once():
    """Claim: as many verdicts as items, and the counts at the top are theirs."""
    rows = [line for line in PAGE.splitlines() if re.search(r" \| (paper|code) \| ", line)]
    counts = {outcome: sum(f" | {outcome.value} |" in row for row in rows) for outcome in Outcome}
    assert sum(counts.values()) == len(WAIT.published())
    line = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
    assert f"\n{line}, of {len(WAIT.published())}.\n" in PAGE


def test_every_cell_is_on_the_page():
    """Claim: each sweep has a row per policy and point."""
    for name, sweep in SWEEPS.items():
        assert len(rows_of(name)) == 1 + len(sweep.points) * len(sweep.families)


def test_figures_and_links():
    """Claim: figures are small PNG files beside the page, one per sweep that has one; docs/cli.md links the page."""
    names = re.findall(r"!\[[^]]*\]\(([^)]+)\)", PAGE)
    assert len(names) == len(drawn(Study(tuple(SWEEPS.values()), SEED, {})))
    for name in names:
        figure = DOCS / "reproductions" / name
        assert figure.read_bytes().startswith(b"\x89PNG")
        assert figure.stat().st_size < LARGEST_FIGURE
    assert "(reproductions/wait.md)" in (DOCS / "cli.md").read_text(encoding="utf-8")


def test_the_page_names_no_time_and_no_machine():
    """Claim: nothing on it changes from run to run: it states seed and version, and no date, path or wall time."""
    assert f"orsched {version('orsched')}, seed {SEED}" in PAGE
    assert not re.search(r"20\d\d-\d\d-\d\d|(?<![\w)\]])/[a-z]+/|wall", PAGE)
