"""The PolyServe experiments: setting, search, yardsticks, verdicts, and the command."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.cli import main
from experiments.paths.streams import Stream
from experiments.reproductions import get_reproduction
from experiments.reproductions.goodput import bracket, goodput
from experiments.reproductions.polyserve.families import ABLATIONS, family
from experiments.reproductions.polyserve.fleets import alike, by_tier, pooled, switched_off
from experiments.reproductions.polyserve.hours import PATTERNS, SCALED, HoursTask
from experiments.reproductions.polyserve.mixes import EVEN, InTurn
from experiments.reproductions.polyserve.numbers import judged
from experiments.reproductions.polyserve.plan_of_tiers import planned_per_s, servers_per_rate
from experiments.reproductions.polyserve.results import Results, families_of
from experiments.reproductions.polyserve.setting import DEVICE, LEVEL, LOADS, OURS, SHOWN_LOAD, law, sweeps
from experiments.reproductions.polyserve.tasks import BoundTask, GoodputTask, visit
from experiments.reproductions.verdict import Outcome
from orsched import hardware
from orsched.gap_table import percent
from orsched.group import Role
from orsched.policy import Information
from orsched.service import Batch
from orsched.statistics.estimate import estimate

QUICK = sweeps(True)
FULL = {sweep.name: sweep for sweep in sweeps(False)}


@given(count=st.integers(1, 40), edge=st.integers(-1, 39), start=st.integers(0, 39))
def test_the_search_finds_the_edge_and_looks_at_both_sides(count, edge, start):
    """Claim: of what is kept up to an edge and nowhere after it, the search finds the edge from wherever it starts, and
    has asked there and one further; the goodput of what it has asked is that of the whole grid."""
    edge, start = min(edge, count - 1), min(start, count - 1)
    asked = {}

    def kept(k):
        asked[k] = 0.95 - 0.01 * k if k <= edge else 0.8
        return k <= edge

    assert bracket(kept, count, start) == edge
    assert {k for k in (edge, edge + 1) if 0 <= k < count} <= asked.keys()
    level = 0.95 - 0.01 * edge if edge >= 0 else 0.9
    seen = sorted(asked)
    whole = [0.95 - 0.01 * k if k <= edge else 0.8 for k in range(count)]
    rates = [1.0 + k for k in range(count)]
    if level > 0.8:
        found = goodput([rates[k] for k in seen], [asked[k] for k in seen], level)
        assert found == pytest.approx(goodput(rates, whole, level))


def test_mixes_have_equal_shares_and_turns_favour_one_tier():
    """Claim: over a whole turn every tier has a third; while one is favoured it has its share, the others half of the
    rest each."""
    rng = np.random.default_rng(1)
    for mix in (EVEN, InTurn(2_000, 2 / 3)):
        ids = mix(30_000, 3, rng)
        np.testing.assert_allclose(np.bincount(ids) / 30_000, 1 / 3, atol=0.01)
    for turn in range(3):
        shares = np.bincount(InTurn(2_000, 2 / 3)(6_000, 3, rng)[2_000 * turn : 2_000 * (turn + 1)]) / 2_000
        np.testing.assert_allclose(np.roll(shares, -turn), [2 / 3, 1 / 6, 1 / 6], atol=0.05)


def test_paths_are_the_same_at_every_load():
    """Claim: twice the load, half the times, the same lengths and tiers."""
    sweep = FULL["rotating"]
    slow, fast = (sweep.path(load, 500, np.random.default_rng(1)) for load in (0.4, 0.8))
    np.testing.assert_allclose(slow.arrival_s, 2 * fast.arrival_s)
    np.testing.assert_array_equal(slow.output_tokens, fast.output_tokens)
    np.testing.assert_array_equal(slow.class_id, fast.class_id)
    assert slow.rate_per_s == pytest.approx(0.4 * sweep.capacity_per_s, rel=0.15)


def test_every_objective_can_be_kept_on_an_idle_server():
    """Claim: of the trace's lengths, alone on a server that keeps its tier's TPOT, every request is good: PolyServe's
    rule for objectives that may be promised."""
    for sweep in FULL.values():
        path = sweep.path(1e-3, 400, np.random.default_rng(2))
        fleet, policy = family(sweep, OURS).set_up(sweep, {})
        found = visit(replace(sweep, tiers=path.classes), fleet, policy, 1e-3, 400, Stream.WORKLOAD, 0, 0)
        assert found["deadlines"] == found["mean_tpot"] == 1


def test_fleets_have_as_many_instances_arranged_as_they_say():
    """Claim: the same instances in every arrangement, prompts apart or not; tiers' servers as the plan has them to one;
    in PolyServe's pool all but one for each tier."""
    for sweep in FULL.values():
        role = Role.DECODE if sweep.prefills else Role.MIXED
        for arrange in (alike, by_tier, pooled, switched_off):
            groups = arrange(sweep).groups
            assert sum(group.size for group in groups) == sweep.instances
            assert sum(group.size for group in groups if group.role is Role.PREFILL) == sweep.prefills
        divided = {group.tier: group.size for group in by_tier(sweep).groups if group.role is role}
        each = np.array(servers_per_rate(sweep))
        exact = each / each.sum() * (sweep.instances - sweep.prefills)
        assert list(divided) == [tier.name for tier in sweep.tiers]
        assert all(abs(size - share) < 1 for size, share in zip(divided.values(), exact, strict=True))
        free = [group.size for group in pooled(sweep).groups if group.tier is None and group.role is role]
        assert free == [sweep.instances - sweep.prefills - len(sweep.tiers)]


def test_the_plan_is_the_largest_batch_within_the_limit():
    """Claim: servers that decode: the best whole batch B of mean contexts with ``T(B) <= TPOT`` and B at most a full
    batch serves ``B / (decodes T(B))`` requests per second, to within one request of the batch."""
    sweep, entry = FULL["split-10-6"], hardware(DEVICE)
    whole = law().whole()
    steps = whole.output_tokens - 1.0
    context = float((steps * (whole.input_tokens + (whole.output_tokens - 2) / 2)).sum() / steps.sum())
    for tier, found in zip(sweep.tiers, servers_per_rate(sweep), strict=True):
        batches = range(1, entry.max_num_seqs + 1)
        times = [entry.service.iteration_s(Batch(num_seqs=b, kv_tokens=b * context)) for b in batches]
        rates = [b / (steps.mean() * t) for b, t in zip(batches, times, strict=True) if t <= tier.slo.tpot_s]
        assert max(rates) <= 1 / found * (1 + 1e-9) <= max(rates) * (1 + 1 / len(rates))
    assert planned_per_s(sweep) * sum(servers_per_rate(sweep)) / 3 <= 6 * (1 + 1e-9)
    together = FULL["three-tiers"]
    assert planned_per_s(together) * sum(servers_per_rate(together)) / 3 == pytest.approx(16)
    assert planned_per_s(together) <= together.capacity_per_s


def test_everyone_is_tuned_over_as_many_settings_and_knows_what_is_said():
    """Claim: every family of every sweep can be built with each of its four settings; with a part changed there is
    one; only PolyServe is told anything about lengths, the mean of the class."""
    for sweep in FULL.values():
        for name in families_of(sweep):
            found = family(sweep, name)
            assert len(found.choices) == (1 if name in ABLATIONS else 4)
            for choice in found.choices:
                _, policy = found.set_up(sweep, choice)
                told = name.startswith(OURS) or name in ABLATIONS
                assert policy.information is (Information.CLASS if told else Information.NONE)


def test_a_cell_looks_where_goodput_is():
    """Claim: on every path and for every measure a cell has both sides of the level, or the end of the loads, and the
    shown load; the choice has the best score; attainments are shares."""
    sweep = replace(QUICK[0], requests=200, replications=1)
    task = GoodputTask(sweep, "sarathi/jsq", (("deadlines", LEVEL), ("mean_tpot", LEVEL)), 0)
    cell = task.compute()
    assert cell["choice"] == cell["choices"][int(np.argmax(cell["scores"]))]
    for path in cell["paths"]:
        loads = [one["load"] for one in path]
        assert loads == sorted(loads)
        assert SHOWN_LOAD in loads
        for scoring, level in task.measures:
            kept = [LOADS.index(one["load"]) for one in path if one[scoring] >= level]
            edge = max(kept, default=-1)
            assert edge == len(LOADS) - 1 or LOADS[edge + 1] in loads
        assert all(0 <= one["worst_tier"] <= one["deadlines"] <= 1 for one in path)


def test_bounds_are_above_the_plan():
    """Claim: all requests can be good at a larger load than in the plan with servers for each tier, roughly (the plan
    has mean lengths), and a share of them at a larger load still."""
    sweep = replace(QUICK[0], requests=3_000)
    found = BoundTask(sweep, 0).compute()
    least = min(min(loads) for loads in found["all_good"].values())
    assert least > 0.95 * planned_per_s(sweep) / sweep.capacity_per_s
    assert found["most_good"] > found["all_good"]["deadlines"][0] * 1.05


def test_arrival_patterns_have_the_same_mean_rate():
    """Claim: steady and swinging arrivals come at the same mean rate."""
    rates = [make(100.0).rate_per_s for make in PATTERNS.values()]
    assert rates == pytest.approx([50.0] * len(rates))


def planted(reach, servers=lambda way, k: 5.0):
    """Results of the quick sweeps: (family, replication) -> load up to which it is kept, by either scoring."""
    hours = tuple(HoursTask(QUICK[0], "steady", way, 0) for way in SCALED)
    results = Results(QUICK, hours, 0, {})
    found = {
        task.identity: {
            "rows": [{"servers": servers(task.way, k), "deadlines": 1.0, "worst_tier": 1.0} for k in range(2)]
        }
        for task in hours
    }
    for sweep in QUICK:
        for name in families_of(sweep):
            paths = [[_planted_visit(load, reach(name, k)) for load in LOADS] for k in range(2)]
            cell = {"choices": [{}], "scores": [0.5 if name == OURS else 0.6], "choice": {}, "paths": paths}
            found[results.task(sweep, name).identity] = cell
        limits = {"deadlines": [1.0, 1.0], "mean_tpot": [1.0, 1.0]}
        found[BoundTask(sweep, 0).identity] = {"all_good": limits, "most_good": 1.3}
    return replace(results, found=found)


def _planted_visit(load, reach):
    share = 1.0 if load <= reach else 0.8
    return {"load": load, "deadlines": share, "mean_tpot": share, "worst_tier": share, "preemptions": 0}


def test_verdicts_are_those_of_the_rules():
    """Claim: published numbers are never comparable, even when ours agree; higher beyond the interval is reproduced,
    lower and doubtful are not; a level that is never kept is said to be so."""
    ours = {OURS: 0.9, "defaults": 0.9}
    cases = (
        (lambda name, k: ours.get(name, 0.75), Outcome.REPRODUCED, ""),
        (lambda name, k: ours.get(name, 1.0), Outcome.NOT_REPRODUCED, "lower"),
        (lambda name, k: ours.get(name, 0.75 + 0.3 * k), Outcome.NOT_REPRODUCED, "contains 1"),
        (lambda name, k: ours.get(name, 0.0), Outcome.NOT_COMPARABLE, "below the smallest"),
    )
    for reach, outcome, reason in cases:
        entries = judged(planted(reach, lambda way, k: 5.0 if way == "most-loaded" else 6.0))
        by_group = {group: [e for heading, e in entries if heading == group] for group, _ in entries}
        measured, higher, design = by_group.values()
        assert all(e.verdict.outcome is Outcome.NOT_COMPARABLE for e in measured)
        assert [e.published for e in measured] == ["92.5%", "1.23 times", "1.18 times"]
        lazy, hours = design
        assert all(e.verdict.outcome is outcome and reason in e.verdict.reason for e in (*higher, lazy))
        assert hours.verdict.outcome is Outcome.REPRODUCED
        assert "1.2 " in hours.ours


def test_best_baselines_are_chosen_by_score_and_ratios_by_path():
    """Claim: the best baseline is the published batcher with the best tuning score, never PolyServe's; goodput over it
    is that of the planted loads."""
    results = planted(lambda name, k: 0.9 if name == OURS else 0.75)
    for sweep in QUICK:
        assert results.best_baseline(sweep).startswith(("vllm-v1", "sarathi"))
        ratio = results.ratio(sweep, OURS, results.best_baseline(sweep))
        assert ratio.mean == pytest.approx((0.9 + 0.025) / (0.75 + 0.025))
        assert results.of_optimal(sweep, OURS).mean == pytest.approx(0.925)


@pytest.mark.slow
def test_the_command_writes_the_quick_page(tmp_path, capsys):
    """Claim: the page says that it is quick, names every sweep and family, and counts its verdicts; one JSON object."""
    assert main(["reproduce", "polyserve", "--quick", "--out", str(tmp_path), "--workers", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [sweep["name"] for sweep in document["sweeps"]] == [sweep.name for sweep in QUICK]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["polyserve-quick.md", "polyserve-quick.png"]
    page = (tmp_path / "polyserve-quick.md").read_text(encoding="utf-8")
    assert "**A quick version" in page
    for sweep in QUICK:
        section = section_of(page, sweep.name)
        assert all(f"| {name} |" in section for name in sweep.families)
    rows = verdicts_on(page)
    assert len(rows) == len(document["comparisons"])
    assert f"of {len(rows)}." in page


def section_of(page, sweep):
    return page.split(f"(`{sweep}`)\n", 1)[1].split("\n#", 1)[0]


def verdicts_on(page):
    return re.findall(r"\| (?:paper|reported) \|.*\| (reproduced|not reproduced|not comparable) \|", page)


def test_quick_sweeps_are_small_and_seeds_are_checked():
    """Claim: fewer policies and shorter paths on smaller fleets; a negative seed is refused."""
    for sweep in QUICK:
        assert sweep.requests < min(full.requests for full in FULL.values())
        assert sweep.instances < 8
    assert main(["reproduce", "polyserve", "--seed", "-1"]) == 2
    assert get_reproduction("polyserve").name == "polyserve"


PAGE = Path(__file__).parents[3] / "docs" / "reproductions" / "polyserve.md"


def test_the_committed_page_is_what_the_command_writes():
    """Claim: simulating a cell at the shown load again gives the row on the page; the page has every cell and as many
    verdicts as it says; its figure is a small PNG beside it."""
    if not PAGE.exists():
        pytest.skip("the full study has not been committed yet: orsched reproduce polyserve writes it")
    page = PAGE.read_text(encoding="utf-8")
    sweep, name = FULL["split-11-5"], "vllm-v1/jsq>jsq"
    (row,) = (row for row in rows_of(page, sweep.name) if row[0] == name)
    choice = {"budget": int(row[1].removeprefix("budget "))}
    fleet, policy = family(sweep, name).set_up(sweep, choice)
    paths = range(sweep.replications)
    found = [visit(sweep, fleet, policy, SHOWN_LOAD, sweep.requests, Stream.WORKLOAD, k, 0) for k in paths]
    within, worst = (str(percent(estimate([one[metric] for one in found]))) for metric in ("deadlines", "worst_tier"))
    assert row[-3:] == [within, worst, f"{np.mean([one['preemptions'] for one in found]):.3g}"]
    for one in FULL.values():
        assert [row[0] for row in rows_of(page, one.name)] == list(one.families)
    verdicts = verdicts_on(page)
    counts = ", ".join(f"{verdicts.count(outcome.value)} {outcome.value}" for outcome in Outcome)
    assert f"\n{counts}, of {len(verdicts)}.\n" in page
    figure = PAGE.with_suffix(".png").read_bytes()
    assert figure.startswith(b"\x89PNG")
    assert len(figure) < 150_000


def rows_of(page, sweep):
    """The cells of the result rows of a sweep."""
    lines = [line for line in section_of(page, sweep).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]
