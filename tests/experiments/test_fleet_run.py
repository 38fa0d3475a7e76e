"""Fleet experiments: scores, conservation, bounds, searches, and what they are summed up to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.fleet.bounding import largest_multiple, offered_tiers, path_goodput_bound
from experiments.fleet.conservation import require_conserved
from experiments.fleet.outcome import good_requests, judge
from experiments.fleet.run import run_fleet
from experiments.fleet.searching import largest_kept
from experiments.fleet.spec import fleet_experiment
from experiments.fleet.spec_file import parsed_spec
from experiments.fleet.summary import summarise
from experiments.fleet.tables import notes
from orsched import Fleet, hardware, simulate
from orsched.engine.actions import REJECT
from orsched.errors import MismatchError
from orsched.request import SLO, RequestClass
from orsched.scoring import horizon_s
from orsched.workloads import Workload
from policies.routers import join_shortest_queue
from policies.vllm_v1 import vllm_v1

SPEC = """
[[group]]
hardware = "reference"
size = 3

[workload]
name = "reference"
requests = 150
rate_per_s = 9

[[tier]]
name = "tight"
ttft_s = 1
tpot_s = 0.03
share = 0.5
[[tier]]
name = "loose"
ttft_s = 5
tpot_s = 0.1
share = 0.5

[[policy]]
name = "vllm-v1"
router = "jsq"
[[policy]]
name = "sarathi"
router = "random"

[experiment]
replications = 3
"""
GOODPUT = "[goodput]\nleast = 0.2\nmost = 5\ntolerance = 0.1\n"
FAULTS = """
[[faults.instance]]
at_s = 4
instance = 0
for_s = 5
[faults.random]
horizon_s = 20
instance_mean_between_s = 15
instance_mean_repair_s = 2
"""
TIERS = (RequestClass("tight", SLO(1.0, 0.03)), RequestClass("loose", SLO(5.0, 0.1)))
FLEET = Fleet.identical(hardware("reference"), 3)


def experiment(text=SPEC, **changes):
    return fleet_experiment(parsed_spec(text, "spec"), "spec", Path(), **changes)


def summary(text=SPEC, **changes):
    return summarise(run_fleet(experiment(text, **changes)))


def served(path, policy=None, **options):
    chosen = policy or vllm_v1().routed_by(join_shortest_queue)
    return simulate(path, FLEET, chosen, 1, token_gaps=True, **options)


@pytest.fixture(scope="module")
def path():
    return experiment().paths.draw(0)


def test_scores_are_those_of_a_loop_over_requests(path):
    """Claim: a request is good on average if its first token is in time and the others come fast enough on average."""
    run = served(path)
    good = []
    for k in range(len(path)):
        slo = path.classes[path.class_id[k]].slo
        gaps = path.output_tokens[k] - 1
        pace = (run.completion_s[k] - run.first_token_s[k]) / gaps if gaps else 0.0
        good.append(run.first_token_s[k] - run.arrival_s[k] <= slo.ttft_s and pace <= slo.tpot_s)
    assert good_requests(run, path, "mean-tpot").tolist() == good
    judged = judge(run, path, "mean-tpot", "none")
    assert judged.metrics["attainment"] == pytest.approx(np.mean(good))
    assert judged.metrics["goodput_per_s"] == pytest.approx(sum(good) / horizon_s(run))
    parts = [judged.tiers[tier]["goodput_per_s"] for tier in ("tight", "loose")]
    assert sum(parts) == pytest.approx(judged.metrics["goodput_per_s"])


def test_rejected_requests_are_missed_and_have_no_times(path):
    """Claim: turning requests away does not help: they count as missed, and the run still adds up."""

    def turn_away(view, request):
        return REJECT if request % 3 == 0 else join_shortest_queue(view, request)

    run = served(path, vllm_v1().routed_by(turn_away))
    require_conserved(run)
    judged = judge(run, path, "mean-tpot", "none")
    assert judged.metrics["rejected"] == 50
    assert judged.metrics["attainment"] <= 1 - 1 / 3
    assert not good_requests(run, path, "mean-tpot")[::3].any()


def test_the_warm_up_is_left_out_of_times_and_not_of_goodput(path):
    """Claim: goodput and counts are of the whole run whatever the rule; attainment is of what comes after it."""
    run = served(path)
    whole, later = judge(run, path, "mean-tpot", "none"), judge(run, path, "mean-tpot", "fixed-50%")
    assert later.metrics["goodput_per_s"] == whole.metrics["goodput_per_s"]
    assert later.metrics["server_hours"] == whole.metrics["server_hours"]
    assert later.metrics["attainment"] == good_requests(run, path, "mean-tpot")[75:].mean()


def without_third(values):
    return np.where(np.arange(len(values)) == 3, np.nan, values)


BREAKS = {
    "requests completed or rejected": lambda run: {"completion_s": without_third(run.completion_s)},
    "requests completed or rejected, not both": lambda run: {"rejected": np.eye(1, len(run), dtype=np.int64)[0]},
    "output tokens": lambda run: {"output_tokens": run.output_tokens + 1},
    "before their first token": lambda run: {"first_token_s": run.completion_s + 1},
    "restarts in the log": lambda run: {"restarts": run.restarts + 1},
    "migrations in the log": lambda run: {"migrations": run.migrations + 1},
    "instances were on": lambda run: {"on_s": run.on_s * 0.9},
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
def test_what_is_lost_is_found(what, path):
    """Claim: the check passes on a sound run with faults, and names what has been broken in it."""
    run = served(path, faults=experiment(SPEC + FAULTS).faults_of(0))
    require_conserved(run)
    with pytest.raises(MismatchError, match=what):
        require_conserved(replace(run, **BREAKS[what](run)))


@pytest.mark.parametrize("scoring", ["mean-tpot", "deadlines"])
def test_no_run_beats_the_bound_of_its_path(scoring):
    """Claim: at loads from light to hopeless, good requests per second stay below the certified bound of the path."""
    source = experiment().paths
    for multiple in (0.3, 1.0, 3.0, 10.0):
        path = source.draw(1).at_rate(9 * multiple)
        bound = path_goodput_bound(path, FLEET, scoring)
        found = judge(served(path, deadlines=True), path, scoring, "none").metrics["goodput_per_s"]
        assert bound.certified
        assert found <= bound.value
        assert bound.value <= len(path) / path.span_s * (1 + 1e-6)


def test_offered_tiers_hold_every_request():
    """Claim: rates add up to the requests over the span, tier by tier, whatever the multiple."""
    path = experiment().paths.draw(0)
    for multiple in (1.0, 2.5):
        for tier, rows in zip(offered_tiers(path, multiple), (path.class_id == 0, path.class_id == 1), strict=True):
            assert tier.rate_per_s == pytest.approx(multiple * rows.sum() / path.span_s)


def test_a_tier_nobody_is_in_is_left_out():
    """Claim: a path on which a tier has no request is bounded by the others."""
    path = Workload.of([0.0, 1.0], [10, 10], [5, 5], class_id=[1, 1], classes=TIERS)
    assert [tier.name for tier in offered_tiers(path)] == ["loose"]
    assert set(judge(served(path), path, "mean-tpot", "none").tiers) == {"loose"}


def test_the_largest_multiple_is_where_the_programme_stops_serving():
    """Claim: just below it the level is within the bound, just above not; a lower level has a larger multiple."""
    path = experiment().paths.draw(0)
    found = largest_multiple(path, FLEET, "mean-tpot", 0.9, 0.01, 100)

    def share(multiple):
        offered = sum(tier.rate_per_s for tier in offered_tiers(path, multiple))
        squeezed = path.at_rate(multiple * path.rate_per_s)
        return path_goodput_bound(squeezed, FLEET, "mean-tpot").value / offered

    assert share(0.99 * found) >= 0.9 > share(1.01 * found)
    assert largest_multiple(path, FLEET, "mean-tpot", 0.5, 0.01, 100) > found
    assert largest_multiple(path, FLEET, "mean-tpot", 0.9, 0.01, found / 2) == found / 2


@given(st.floats(0.05, 6), st.floats(0.001, 0.2))
def test_the_search_finds_the_edge(edge, tolerance):
    """Claim: for a level kept up to an edge the answer is below it by at most the tolerance; 0 or the most outside."""
    found = largest_kept(lambda multiple: multiple <= edge, 0.1, 4.0, tolerance)
    if edge < 0.1:
        assert found == 0
    elif edge >= 4:
        assert found == 4
    else:
        assert edge / (1 + tolerance) * (1 - 1e-12) <= found <= edge


def test_policies_meet_the_same_paths_and_differences_are_paired():
    """Claim: the difference is the mean of the differences path by path, with their interval, not that of means."""
    results = run_fleet(experiment())
    first, second = summarise(results).rows
    pairs = [[p.served[label].judged.metrics["ttft_p99_s"] for label in p.served] for p in results.paths]
    found = second.differences["ttft_p99_s"]
    assert found.mean == pytest.approx(np.mean([b - a for a, b in pairs]))
    assert found.n == 3
    assert not first.differences


def test_a_policy_is_the_same_alone_and_in_company():
    """Claim: what a policy does depends on the path only, not on the others of the list."""
    alone = summary(SPEC.replace('[[policy]]\nname = "vllm-v1"\nrouter = "jsq"\n', ""))
    together = summary()
    assert alone.rows[0].metrics == together.rows[1].metrics


def test_workers_do_not_change_the_result():
    """Claim: one process and two give the same numbers."""
    one, two = summary(workers=1), summary(workers=2)
    assert one.rows == two.rows


def test_the_ratio_is_of_each_path_to_its_own_bound():
    """Claim: ours over bound is averaged over paths, each against its own bound, and is at most 1."""
    results = run_fleet(experiment())
    row = summarise(results).rows[0]
    shares = [p.served["vllm-v1+jsq"].judged.metrics["goodput_per_s"] / p.bound.value for p in results.paths]
    assert row.over_bound.mean == pytest.approx(np.mean(shares))
    assert max(shares) <= 1


def test_sustained_rates_are_searched_and_bounded():
    """Claim: with [goodput] each policy has a sustained rate; on long paths it is below the long-run bound."""
    long = SPEC.replace("requests = 150", "requests = 2000").replace("ttft_s = 5", "ttft_s = 1")
    found = summary(long + GOODPUT, replications=2)
    for row in found.rows:
        assert 0 < row.metrics["sustained_per_s"].mean < found.sustained_bound.mean
        assert 0 < row.sustained_over_bound.mean < 1
    assert not any("beyond what the long run allows" in note for note in notes(found))


def test_paths_too_short_for_the_long_run_are_said_to_be():
    """Claim: when squeezed paths end before their backlog is late, a note says that the rate is not for long."""
    found = summary(SPEC + GOODPUT, replications=2)
    assert found.rows[0].sustained_over_bound.mean > 1
    assert any(note.startswith("note: vllm-v1+jsq") and "give more requests" in note for note in notes(found))


def test_without_tiers_nothing_is_scored():
    """Claim: no attainment, no bound; times and server-hours are there."""
    text = SPEC[: SPEC.index("[[tier]]")] + SPEC[SPEC.index("[[policy]]") :]
    found = summary(text, replications=1)
    assert found.bound is None
    assert {"ttft_p99_s", "server_hours"} <= set(found.rows[0].metrics)
    assert "attainment" not in found.rows[0].metrics
    assert found.rows[0].metrics["server_hours"].half_width is None


def test_deadlines_are_scored_token_by_token():
    """Claim: with deadlines a request is good if its lateness, recorded token by token, is none."""
    found = experiment(SPEC + 'scoring = "deadlines"\n')
    path = found.paths.draw(0)
    run = served(path, deadlines=True)
    assert good_requests(run, path, "deadlines").tolist() == (run.lateness_s <= 1e-9).tolist()
    row = summarise(run_fleet(found)).rows[0]
    assert 0 < row.over_bound.mean <= 1
