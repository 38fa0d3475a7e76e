"""The ARES experiments: setting, measures, verdicts, and the command."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import main
from experiments.reproductions import get_reproduction
from experiments.reproductions.ares.numbers import judged
from experiments.reproductions.ares.probe import Probe
from experiments.reproductions.ares.results import Results, goodput
from experiments.reproductions.ares.setting import (
    AMPLE,
    FAMILIES,
    TIGHT,
    capacity_per_s,
    fleet_of,
    full_step_s,
    law,
    mean_context_tokens,
    path_law,
    sweeps,
)
from experiments.reproductions.ares.tasks import AresTask, ErrorTask, mean_absolute_error
from experiments.reproductions.verdict import Outcome
from orsched import Workload, hardware, simulate
from orsched.policy import Information
from orsched.statistics.estimate import estimate
from policies.predictors.flat import Flat
from policies.predictors.oracle import Oracle
from policies.predictors.static import Static


def test_goodput_by_hand():
    """Claim: kept at 1/s and 2/s and half as much below 90% at 3/s as above at 2/s: two thirds of the way; nothing when
    the first rate misses, the last rate when none does; a later recovery does not count."""
    assert goodput((1, 2, 3), (1.0, 0.96, 0.87), 0.9) == pytest.approx(2 + 2 / 3)
    assert goodput((1, 2), (0.8, 1.0), 0.9) == 0
    assert goodput((1, 2), (1.0, 0.9), 0.9) == 2
    assert goodput((1, 2, 3), (1.0, 0.8, 1.0), 0.9) == pytest.approx(1.5)


def test_the_mean_context_is_that_of_all_iterations():
    """Claim: prompts 10 and 20 with 3 and 2 tokens: iterations read 10, 11 and 20 tokens."""
    assert mean_context_tokens(Workload.of([0, 1], [10, 20], [3, 2])) == pytest.approx(41 / 3)


def test_memory_is_tight_on_one_device_and_ample_on_the_other():
    """Claim: at the edge of its capacity the one is bound by memory: 45 mean requests fit, a batch is 256; the other
    holds more than twice as many. An iteration of a full instance is longer than one of a half full one."""
    context = mean_context_tokens(law().whole())
    fits = [hardware(name).kv_capacity_tokens / context for name in (TIGHT, AMPLE)]
    assert fits[0] < 50 < 2 * fits[0] < fits[1] < 256
    entry = hardware(TIGHT)
    assert full_step_s(entry) > full_step_s(replace(entry, kv_capacity_tokens=entry.kv_capacity_tokens // 2))
    assert 0 < capacity_per_s(TIGHT) < capacity_per_s(AMPLE)


def test_paths_are_the_same_at_every_rate():
    """Claim: twice the rate, half the times, the same lengths."""
    slow, fast = (path_law(rate).draw(50, np.random.default_rng(1)) for rate in (1.0, 2.0))
    np.testing.assert_allclose(slow.arrival_s, 2 * fast.arrival_s)
    np.testing.assert_array_equal(slow.output_tokens, fast.output_tokens)


def test_families_know_what_they_say():
    """Claim: none, llumnix and current know no lengths, the oracle all; the predicted ones differ in the predictor."""
    sweep = sweeps(True)[0]
    built = {family: sweep.policy(family) for family in FAMILIES}
    assert [policy.information for policy in built.values()] == [
        *[Information.NONE] * 3,
        *[Information.PREDICTED] * 2,
        Information.ORACLE,
    ]
    assert built["predicted"].settings["predictor"] == "refreshed:20:0.5"
    assert built["predicted-flat"].settings["predictor"] == "flat:20"
    assert built["none"].control is None


def test_the_probe_changes_nothing_and_sees_every_token():
    """Claim: a run with a probe is the run without, whatever is controlled; what it sees on an instance are the KV
    tokens sampled there at the same instants."""
    sweep = sweeps(True)[0]
    path = path_law(sweep.rate_per_s(1.0)).draw(30, np.random.default_rng(1))
    policy = sweep.policy("oracle")
    plain, seen = (
        simulate(path, sweep.fleet, one, 1) for one in (policy, replace(policy, control=Probe(policy.control, 5)))
    )
    np.testing.assert_array_equal(plain.completion_s, seen.completion_s)
    probe = Probe(None, 1)
    watched = replace(sweep.policy("none"), control=probe, control_every_s=5.0)
    run = simulate(path, sweep.fleet, watched, 1, sample_every_s=5.0)
    sums = [[sum(one) for one in sample] for sample in probe.samples]
    np.testing.assert_array_equal(sums, run.log.samples.kv_tokens[1:, 1:])


def test_errors_of_predictors_by_hand():
    """Claim: the oracle errs by nothing; a factor f on 41 tokens errs by |f - 1| 41 at all labels when asked once, and
    by as much of what is left, 41, 21 and 1 tokens, when asked again."""
    path = Workload.of([0.0], [10], [41])
    assert mean_absolute_error(Oracle(), path, np.random.default_rng(1)) == 0
    point = int(Static()(path, np.random.default_rng(1)).point[0])
    once, again = (mean_absolute_error(one, path, np.random.default_rng(1)) for one in (Static(), Flat()))
    assert once == abs(point - 41)
    assert again == pytest.approx(once * (41 + 21 + 1) / 41 / 3, abs=1)


def planted(p99, attainment):
    """Results of the quick sweeps with given numbers: (family, load, replication) -> number."""
    quick = sweeps(True)
    errors = ErrorTask(1, 2, 0)
    found = {errors.identity: {"static": [100.0, 120.0], "flat": [50.0, 60.0], "refreshed": [10.0, 20.0]}}
    for sweep in quick:
        for load in sweep.loads:
            for family in FAMILIES:
                rows = [
                    {
                        "tpot_p50_s": 0.01,
                        "tpot_p99_s": p99(family, load, k),
                        "attainment": attainment(family, load),
                        "preemptions": 0,
                        "migrations": 0,
                        "unbalance": 0.1,
                    }
                    for k in range(2)
                ]
                found[AresTask(sweep, load, family, 0).identity] = {"rows": rows}
    return Results(quick, errors, 0, found)


def test_verdicts_are_those_of_the_rules():
    """Claim: published TPOT and goodput are never comparable, even when ours happen to agree; a fall beyond its
    interval is reproduced, a rise and a doubtful fall are not."""
    cases = (
        (lambda family, load, k: 0.02 if family == "none" else 0.005 + 0.0001 * k, Outcome.REPRODUCED, ""),
        (lambda family, load, k: 0.02 if family == "none" else 0.03 + 0.0001 * k, Outcome.NOT_REPRODUCED, "rises"),
        (lambda family, load, k: 0.02 if family == "none" else 0.01 + 0.009 * k, Outcome.NOT_REPRODUCED, "contains 0"),
    )
    for p99, outcome, reason in cases:
        results = planted(p99, lambda family, load: 1.0 if family != "none" else 1.3 - 0.5 * load)
        entries = judged(results)
        assert all(e.verdict.outcome is Outcome.NOT_COMPARABLE for group, e in entries if "measured" in group)
        falls = [e.verdict for group, e in entries if "helps" in group]
        assert len(falls) == 2
        assert all(verdict.outcome is outcome and reason in verdict.reason for verdict in falls)
        ratio = results.goodput_ratio(results.sweeps[0], "predicted")
        assert ratio.mean == pytest.approx(results.sweeps[0].rate_per_s(1.0) / goodput_of_none(results.sweeps[0]))


def goodput_of_none(sweep):
    return goodput([sweep.rate_per_s(load) for load in sweep.loads], [1.3 - 0.5 * load for load in sweep.loads], 0.9)


@pytest.mark.slow
def test_the_command_writes_the_quick_page(tmp_path, capsys):
    """Claim: the page says that it is quick, names every sweep and family, and counts its verdicts; one JSON object."""
    assert main(["reproduce", "ares", "--quick", "--out", str(tmp_path), "--workers", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [sweep["name"] for sweep in document["sweeps"]] == [sweep.name for sweep in sweeps(True)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ares-quick.md", "ares-quick.png"]
    page = (tmp_path / "ares-quick.md").read_text(encoding="utf-8")
    assert "**A quick version" in page
    assert all(f"| {family} |" in page for family in FAMILIES)
    rows = [line for line in page.splitlines() if " | paper | " in line or " | reported | " in line]
    assert len(rows) == len(document["comparisons"])
    assert f"of {len(rows)}." in page
    still = [cell for cell in document["sweeps"][0]["cells"] if cell["policy"] == "none"]
    assert all(row["migrations"] == 0 for cell in still for row in cell["rows"])


def test_quick_sweeps_are_full_ones_made_small():
    """Claim: fewer loads, paths and requests of the same experiments; a negative seed is refused."""
    full = {sweep.name: sweep for sweep in sweeps(False)}
    for sweep in sweeps(True):
        assert set(sweep.loads) <= set(full[sweep.name].loads)
        assert sweep.requests < full[sweep.name].requests
        assert sweep.fleet == full[sweep.name].fleet == fleet_of(TIGHT)
    assert main(["reproduce", "ares", "--seed", "-1"]) == 2
    assert get_reproduction("ares").name == "ares"


PAGE = Path(__file__).parents[3] / "docs" / "reproductions" / "ares.md"


def test_the_committed_page_is_what_the_command_writes():
    """Claim: simulating a cell again gives the row on the page; the page has every cell and as many verdicts as it
    says; its figure is a small PNG beside it."""
    page = PAGE.read_text(encoding="utf-8")
    sweep = sweeps(False)[0]
    task = AresTask(sweep, 0.7, "none", 0)
    rows = task.compute()["rows"]
    found = [
        estimate([factor * row[metric] for row in rows])
        for metric, factor in (("tpot_p50_s", 1000), ("tpot_p99_s", 1000), ("attainment", 100), ("preemptions", 1))
    ]
    section = page.split("(`in-turn`)\n", 1)[1].split("\n#", 1)[0]
    assert f"| 0.7 | none | {found[0]} | {found[1]} |  | {found[2]} | {found[3]} | 0 ± 0 |" in section
    for one in sweeps(False):
        section = page.split(f"(`{one.name}`)\n", 1)[1].split("\n#", 1)[0]
        cells = [f"| {load:g} | {family} |" for load in one.loads for family in FAMILIES]
        assert all(section.count(cell) == 1 for cell in cells)
    verdicts = re.findall(r"\| (?:paper|reported) \|.*\| (reproduced|not reproduced|not comparable) \|", page)
    counts = ", ".join(f"{verdicts.count(outcome.value)} {outcome.value}" for outcome in Outcome)
    assert f"\n{counts}, of {len(verdicts)}.\n" in page
    figure = PAGE.with_suffix(".png").read_bytes()
    assert figure.startswith(b"\x89PNG")
    assert len(figure) < 150_000
