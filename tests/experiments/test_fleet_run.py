"""Fleet experiments: scores, conservation, bounds, searches, and what they are summed up to."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.fleet.bounding import largest_multiple, offered_tiers, path_bound
from experiments.fleet.conservation import require_conserved
from experiments.fleet.fault_effects import FaultEffects, fault_effects, fault_notices, together
from experiments.fleet.first_path import first_path_logs
from experiments.fleet.outcome import arrivals_left_out, good_requests, judge
from experiments.fleet.run import run_fleet
from experiments.fleet.searching import Bracket, largest_kept
from experiments.fleet.spec import fleet_experiment
from experiments.fleet.spec_file import parsed_spec
from experiments.fleet.summary import summarise
from experiments.fleet.tables import cut_off, notes, notices, tables
from experiments.paths.streams import Stream, seed_sequence
from fluid.fleets import mean_tpot_goodput_bound
from orsched import Fleet, hardware, simulate
from orsched.engine.actions import REJECT, Start, Stop
from orsched.errors import InputError, MismatchError
from orsched.faults import InstanceFault, LinkFault, StartUpFault
from orsched.group import Group
from orsched.metrics import METRICS
from orsched.request import SLO, RequestClass
from orsched.workloads import Workload
from orsched.workloads.prefix_blocks import PrefixBlocks
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
REFERENCE = hardware("reference")
FLEET = Fleet.identical(REFERENCE, 3)


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
    judged = judge(run, path, "mean-tpot", 0)
    assert judged.metrics["attainment"] == pytest.approx(np.mean(good))
    assert judged.metrics["goodput_per_s"] == pytest.approx(sum(good) / path.span_s)
    parts = [judged.tiers[tier]["goodput_per_s"] for tier in ("tight", "loose")]
    assert sum(parts) == pytest.approx(judged.metrics["goodput_per_s"])


def test_rejected_requests_are_missed_and_have_no_times(path):
    """Claim: turning requests away does not help: they count as missed, and the run still adds up."""

    def turn_away(view, request):
        return REJECT if request % 3 == 0 else join_shortest_queue(view, request)

    run = served(path, vllm_v1().routed_by(turn_away))
    require_conserved(run)
    judged = judge(run, path, "mean-tpot", 0)
    assert judged.metrics["rejected"] == 50
    assert judged.metrics["attainment"] <= 1 - 1 / 3
    assert not good_requests(run, path, "mean-tpot")[::3].any()


def test_the_warm_up_is_left_out_of_times_and_not_of_goodput(path):
    """Claim: goodput and counts are of the whole run whatever the rule; attainment is of what comes after it."""
    run = served(path)
    whole, later = (judge(run, path, "mean-tpot", arrivals_left_out(run, rule)) for rule in ("none", "fixed-50%"))
    assert later.metrics["goodput_per_s"] == whole.metrics["goodput_per_s"]
    assert later.metrics["server_hours"] == whole.metrics["server_hours"]
    assert later.metrics["attainment"] == good_requests(run, path, "mean-tpot")[75:].mean()


def policy_seed(found, replication):
    return seed_sequence(found.paths.seed, Stream.POLICY, replication)


def without_third(values):
    return np.where(np.arange(len(values)) == 3, np.nan, values)


def lost_third(run):
    return {"completion_s": without_third(run.completion_s)}


def third(run):
    return np.eye(1, len(run), 3, dtype=np.int64)[0]


BREAKS = {
    "requests completed or rejected": lost_third,
    "requests completed or rejected, not both": lambda run: {"rejected": third(run)},
    "rejected requests with a first token": lambda run: {"rejected": third(run)} | lost_third(run),
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
    """Claim: at loads from light to hopeless, requests within objectives are at most the path's certified bound."""
    source = experiment().paths
    for multiple in (0.3, 1.0, 3.0, 10.0):
        path = source.draw(1).at_rate(9 * multiple)
        limit = path_bound(path, FLEET, scoring)
        assert limit.bound.certified
        assert limit.bound.metric in METRICS
        assert judge(served(path, deadlines=True), path, scoring, 0).good <= limit.most_good <= len(path)


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
    assert set(judge(served(path), path, "mean-tpot", 0).tiers) == {"loose"}


def test_the_largest_multiple_is_where_the_programme_stops_serving():
    """Claim: just below it the level is within the bound, just above not; a lower level has a larger multiple."""
    path = experiment().paths.draw(0)
    found = largest_multiple(path, FLEET, "mean-tpot", 0.9, 0.01, 100)

    def share(multiple):
        offered = sum(tier.rate_per_s for tier in offered_tiers(path, multiple))
        return mean_tpot_goodput_bound(offered_tiers(path, multiple), FLEET.by_hardware()).bound.value / offered

    assert share(0.99 * found) >= 0.9 > share(1.01 * found)
    assert largest_multiple(path, FLEET, "mean-tpot", 0.5, 0.01, 100) > found


def test_the_long_run_bound_holds_wherever_the_search_is_told_to_look():
    """Claim: an edge above or below the range of the search is found all the same, never cut to its ends; a share that
    nobody can reach at any rate has a bound near 0."""
    path = experiment().paths.draw(0)
    found = largest_multiple(path, FLEET, "mean-tpot", 0.9, 0.01, 100)
    for least, most in ((found / 9, found / 3), (found * 3, found * 9)):
        assert largest_multiple(path, FLEET, "mean-tpot", 0.9, least, most) == pytest.approx(found, rel=2e-3)
    hopeless = replace(path, classes=tuple(RequestClass(one.name, SLO(1e-6, 1e-6)) for one in path.classes))
    assert largest_multiple(hopeless, FLEET, "mean-tpot", 0.9, 0.1, 4) <= 1e-5


def test_a_search_that_is_cut_off_says_so():
    """Claim: kept at the most of the range: at least that, and neither a mean, nor a difference, nor a share of the
    bound; kept at none of it: below the least. The bound of the long run is not cut with it."""
    for least, most, expected in ((0.1, 0.2, ">= 1.8"), (200, 300, "< 1800")):
        found = summary(SPEC + f"[goodput]\nleast = {least}\nmost = {most}\n", replications=2)
        for row in found.rows:
            assert "sustained_per_s" not in {**row.metrics, **row.differences}
            assert row.sustained_over_bound is None
            assert cut_off(row) == expected
        assert 9 * 0.2 < found.sustained_bound.mean < 9 * 30
        assert "sustained, search cut off (1/s)" in tables(found)[0].headers
        assert f"note: vllm-v1+jsq: sustained {expected}/s: beyond the range of the search on some path" in notes(found)


def test_prompts_that_share_prefixes_have_no_bound():
    """Claim: where prompts may skip what others have processed no bound is claimed, and a note says why; without shared
    prefixes the same hardware has one."""
    fleet = Fleet.identical(replace(hardware("reference"), keeps_prefixes=True, keeps_preempted_kv=True), 3)
    path = experiment().paths.draw(0)
    assert path_bound(path, fleet, "mean-tpot").most_good is not None
    counts = -(-path.input_tokens // 16)
    shared = replace(path, prefix_blocks=PrefixBlocks.of(16, np.arange(counts.sum()), counts))
    limit = path_bound(shared, fleet, "mean-tpot")
    assert limit.most_good is None
    assert "keeps prefixes" in limit.notice
    with pytest.raises(InputError, match="keeps prefixes"):
        largest_multiple(shared, fleet, "mean-tpot", 0.9, 0.1, 4)


@given(st.floats(0.05, 6), st.floats(0.001, 0.2))
def test_the_search_finds_the_edge(edge, tolerance):
    """Claim: for a level kept up to an edge the bracket is around it, as narrow as the tolerance, or open outside."""
    found = largest_kept(lambda multiple: multiple <= edge, 0.1, 4.0, tolerance)
    assert found.low <= edge < found.high
    assert found.closed == (0.1 <= edge < 4)
    if found.closed:
        assert found.high <= found.low * (1 + tolerance)
    else:
        assert found in (Bracket(0.0, 0.1), Bracket(4.0, np.inf))


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
    shares = [p.served["vllm-v1+jsq"].judged.good / p.limit.most_good for p in results.paths]
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
    found = summary(SPEC + GOODPUT.replace("most = 5", "most = 1000"), replications=2)
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


def turning_away(chosen):
    """Join the shortest queue, but for requests that are `chosen` by their output, which are rejected at once."""

    def route(view, request):
        return REJECT if chosen(view, request) else join_shortest_queue(view, request)

    return vllm_v1().routed_by(route)


def test_turning_long_requests_away_does_not_shorten_the_time_they_are_judged_by():
    """Claim: a policy that rejects a long request which would have been late has the same goodput and server-hours as
    one that serves it, though it is done a hundred times as fast."""
    path = Workload.of([0.0, 1.0, 2.0], [10] * 3, [10, 10, 5000], class_id=[0] * 3, classes=TIERS[:1])
    patient, hasty = served(path), served(path, turning_away(lambda view, request: request == 2))
    assert patient.makespan_s > 20 * hasty.makespan_s
    late = replace(path, classes=(RequestClass("tight", SLO(1.0, 0.0122)),))
    mine, theirs = judge(patient, late, "mean-tpot", 0), judge(hasty, late, "mean-tpot", 0)
    assert mine.good == theirs.good == 2
    for name in ("goodput_per_s", "server_hours", "good_per_server_hour"):
        assert mine.metrics[name] == theirs.metrics[name]
    assert mine.metrics["server_hours"] == pytest.approx(3 * 2.0 / 3600)


def test_the_warm_up_is_the_same_arrivals_for_every_policy():
    """Claim: a share of the arrivals is left out, whoever was rejected among them; MSER-5 looks at the first policy."""
    path = experiment().paths.draw(0)
    half = served(path, turning_away(lambda view, request: request < 75))
    assert arrivals_left_out(half, "fixed-50%") == arrivals_left_out(served(path), "fixed-50%") == 75
    assert arrivals_left_out(half, "mser-5") >= 75
    assert judge(half, path, "mean-tpot", 75).metrics["rejected"] == 75
    text = SPEC + 'warm_up = "mser-5"\n'
    left_out = [result.left_out for result in run_fleet(experiment(text)).paths]
    base = experiment(text)
    for replication, count in enumerate(left_out):
        path = base.paths.draw(replication)
        run = simulate(path, base.fleet, base.contenders[0].policy, policy_seed(base, replication))
        assert count == arrivals_left_out(run, "mser-5")
    assert arrivals_left_out(served(path, turning_away(lambda view, request: True)), "mser-5") == 0


def test_tokens_of_requests_rejected_after_a_restart_do_not_upset_the_check():
    """Claim: requests that are turned away when they come back from a dead instance have emitted tokens; the run is
    sound, and one with more tokens than they asked for is not."""
    path = Workload.of(np.arange(40) * 0.05, [10] * 40, [200] * 40, class_id=[0] * 40, classes=TIERS[:1])
    run = served(
        path, turning_away(lambda view, request: view.emitted_tokens(request) > 0), faults=[InstanceFault(1.0, 0, 1.0)]
    )
    lost = (run.rejected > 0) & (run.restarts > 0)
    assert lost.any()
    require_conserved(run)
    with pytest.raises(MismatchError, match="output tokens"):
        require_conserved(replace(run, output_tokens=np.where(lost, 1, run.output_tokens)))


def test_failing_at_everything_shows():
    """Claim: a policy that keeps no objective at all has a column of zeros, not no column."""
    found = summary(SPEC.replace("ttft_s = 1\n", "ttft_s = 1e-6\n").replace("ttft_s = 5\n", "ttft_s = 1e-6\n"))
    whole, events = tables(found)[:2]
    for table, header in ((whole, "within SLO (%)"), (whole, "goodput (1/s)"), (events, "good per server-hour")):
        column = table.headers.index(header)
        assert {row[column] for row in table.rows} == {"0 ± 0"}
    assert not {"migrations", "instances died", "rejected"} & set(events.headers)


def test_the_time_line_has_few_samples_however_long_the_run():
    """Claim: 200 samples of a run that lasts 10^5 times as long as its arrivals, since an instance is dead so long."""
    text = SPEC.replace("size = 3", "size = 1") + "[[faults.instance]]\nat_s = 1\ninstance = 0\nfor_s = 1e6\n"
    results = run_fleet(experiment(text, replications=1))
    assert results.paths[0].end_s > 1e6
    logs = first_path_logs(results)
    assert all(190 <= len(log.samples.times_s) <= 202 for log in logs.values())


def test_faults_that_change_nothing_are_named():
    """Claim: after the runs a notice names each listed fault that met nothing, and why; one that did is not named."""
    text = SPEC.replace("replications = 3", "replications = 2")
    listed = """
[[faults.instance]]
at_s = 4
instance = 0
for_s = 2
[[faults.instance]]
at_s = 90000
instance = 1
[[faults.link]]
at_s = 3
instance = 1
for_s = 5
[[faults.start_up]]
instance = 2
[faults.random]
horizon_s = 20
start_up_mean_between_s = 5
"""
    said = [notice for notice in notices(summary(text + listed)) if "faults." in notice]
    assert said[:2] == [
        "faults.start_up of instance 2 at 0 s changed nothing: no start of it failed after that",
        "faults.link of instance 1 at 3 s changed nothing: no policy sent anything over links",
    ]
    ended = r"faults\.instance of instance 1 at 90000 s changed nothing: every run had ended, the last at [0-9.]+ s"
    assert re.fullmatch(ended, said[2])
    assert said[3:] == ["faults.random.start_up_mean_between_s changed nothing: no policy started an instance"]
    many = "".join(f"[[faults.start_up]]\nat_s = {k}\ninstance = 0\n" for k in range(8))
    assert notices(summary(text + many))[-1] == "3 more listed faults changed nothing"


def test_faults_that_change_something_are_not_named(path):
    """Claim: a death, one of a dead instance, a start that fails, a slow link under hand-offs; not one of an instance
    that is off."""
    deaths, start = [InstanceFault(4.0, 1, 3.0), InstanceFault(5.0, 1, 1.0)], StartUpFault(0.0, 2)
    ordered = vllm_v1().routed_by(join_shortest_queue)
    starting = replace(ordered, control=lambda v: [Start(2)], control_every_s=2.0)
    spare = Fleet((Group(REFERENCE, 3, off=1),))
    found = fault_effects(simulate(path, spare, starting, 1, faults=[*deaths, start]), [*deaths, start])
    assert (found.idle, found.started) == (frozenset(), True)
    stopping = replace(ordered, control=lambda v: [Stop(2)], control_every_s=2.0)
    off = InstanceFault(path.arrival_s[-1], 2)
    found = fault_effects(served(path, stopping, faults=[off]), [off, start])
    assert (found.idle, found.started) == ({off, start}, False)
    assert fault_notices(found, None)[1].endswith("changed nothing: it was off")
    apart = Fleet((Group(REFERENCE, role="prefill"), Group(REFERENCE, 2, "decode")))
    slow = LinkFault(1.0, 0, 5.0, 0.5)
    assert not fault_effects(simulate(path, apart, ordered, 1, faults=[slow]), [slow]).idle


def test_effects_of_several_runs():
    """Claim: a fault is idle where every run finds it so."""
    one, two = InstanceFault(1.0, 0), InstanceFault(2.0, 0)
    runs = [FaultEffects(frozenset({one, two}), 5.0, False), FaultEffects(frozenset({two}), 7.0, True)]
    assert together(runs) == FaultEffects(frozenset({two}), 7.0, True)
