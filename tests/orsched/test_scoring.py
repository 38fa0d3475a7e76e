"""Scores of runs worked out by hand, and of the engine's."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from instances import build, policy_names, random_workload, seeds, services, tight_hardware

from orsched import Fleet, Hardware, simulate
from orsched.errors import InputError
from orsched.objectives import Objectives
from orsched.request import SLO, RequestClass
from orsched.run import Run
from orsched.scoring import CLOCK, SCORINGS, deadlines, horizon_s, mean_tpot
from orsched.service import Affine
from orsched.workloads import Workload
from policies.vllm_v1 import vllm_v1

NAN = float("nan")
CLASSES = (RequestClass("a", SLO(1.0, 1.0)), RequestClass("b", SLO(2.0, 2.0)), RequestClass("none"))
OBJECTIVES = Objectives(
    np.array([1.0, 2.0, 2.0, 2.0, 1.0]), np.array([1.0, 2.0, 2.0, 2.0, 1.0]), np.array([0, 1, 1, 1, 0]), ("a", "b")
)
RUN = Run(
    policy="p",
    information="none",
    workload="w",
    fleet="f",
    arrival_s=np.array([0.0, 1.0, 2.0, 3.0, 4.0]),
    input_tokens=np.full(5, 5),
    output_tokens=np.array([3, 1, 5, 2, 4]),
    first_scheduled_s=np.array([0.0, 1.0, 2.0, NAN, 4.0]),
    first_token_s=np.array([1.0, 2.0, 5.0, NAN, 5.0]),
    completion_s=np.array([3.0, 2.0, 9.0, NAN, 11.0]),
    preemptions=np.zeros(5, dtype=np.int64),
    instance=np.zeros(5, dtype=np.int64),
    busy_s=np.array([9.0, 1.0]),
    batch_s=np.array([9.0, 1.0]),
    kv_token_s=np.array([60.0, 40.0]),
    iterations=np.array([14, 5]),
    kv_capacity_tokens=np.array([10, 10]),
    max_num_seqs=np.array([4, 4]),
    rejected=np.array([0, 0, 0, 1, 0]),
    restarts=np.zeros(5, dtype=np.int64),
    migrations=np.zeros(5, dtype=np.int64),
    on_s=np.array([11.0, 7.0]),
    lateness_s=np.array([0.0, -1.0, 1.0, np.inf, 3.0]),
    objectives=OBJECTIVES,
)


def test_by_hand():
    """Claim: first token in time and the mean gap short enough; rejected requests miss; a single token has no gap."""
    assert mean_tpot(RUN, OBJECTIVES).tolist() == [True, True, False, False, False]
    assert set(SCORINGS) == {"mean-tpot", "deadlines"}


def test_deadlines_by_hand():
    """Claim: kept deadlines are those with a lateness of at most zero."""
    assert deadlines(RUN, OBJECTIVES).tolist() == [True, True, False, False, False]


def test_the_horizon_ends_with_the_last_completion_or_arrival():
    """Claim: from the first arrival on; where the last ones are rejected it does not end before they arrive."""
    assert horizon_s(RUN) == 11.0
    assert horizon_s(replace(RUN, completion_s=np.where(RUN.completion_s > 3, NAN, RUN.completion_s))) == 4.0
    with pytest.raises(InputError, match="makespan of 0"):
        horizon_s(replace(RUN, arrival_s=np.zeros(5), completion_s=np.full(5, NAN)))


@pytest.mark.parametrize("start_s", [0.0, 3.3, 1000.3, 1e5 + 0.7])
def test_ties_are_kept_by_both_scorings(start_s):
    """Claim: requests whose tokens come exactly at their limits keep them, wherever the clock stands when they come."""
    slo, count = SLO(0.02, 0.02), 100
    work = Workload.of(start_s + np.arange(count) * 1.7, [5] * count, [11] * count, classes=(RequestClass("a", slo),))
    run = simulate(work, Fleet.identical(Hardware("h", Affine(0.02, 0, 0, 0), 10_000, 8)), vllm_v1(), deadlines=True)
    for scoring in SCORINGS.values():
        assert scoring(run, run.objectives).all()
        shorter = replace(run.objectives, ttft_s=run.objectives.ttft_s * (1 - 1e-4))
        assert not scoring(replace(run, objectives=shorter, lateness_s=run.lateness_s + 2e-6), shorter).any()


def test_limits_missed_by_less_than_the_clock_errs_are_kept():
    """Claim: mean TPOT has the tolerance of deadlines, relative to the completion, for each of its two limits."""
    slack = CLOCK * 9.0
    for by, kept in ((0.5 * slack, True), (2 * slack, False)):
        limits = replace(OBJECTIVES, ttft_s=np.full(5, 3.0 - by), tpot_s=np.full(5, 1.0))
        assert mean_tpot(RUN, limits)[2] == kept
        limits = replace(OBJECTIVES, ttft_s=np.full(5, 3.0), tpot_s=np.full(5, 1.0 - by / 4))
        assert mean_tpot(RUN, limits)[2] == kept


def test_objectives_are_checked():
    """Claim: limits that are no positive finite numbers, classes without a name and uneven lengths are refused."""
    for change, message in (
        ({"ttft_s": np.array([1.0, NAN, 1.0, 1.0, 1.0])}, r"ttft_s\[1\] = nan: must be a positive, finite"),
        ({"tpot_s": np.array([1.0, 1.0, np.inf, 1.0, 1.0])}, r"tpot_s\[2\] = inf"),
        ({"ttft_s": np.array([0.0, 1.0, 1.0, 1.0, 1.0])}, r"ttft_s\[0\] = 0\.0"),
        ({"class_id": np.array([0, 1, 2, 0, 0])}, r"class_id\[2\] = 2: there are 2 names"),
        ({"class_id": np.array([0, -1, 0, 0, 0])}, r"class_id\[1\] = -1"),
        ({"tpot_s": np.ones(4)}, "arrays of one length"),
        ({"class_id": np.array(0), "ttft_s": np.array(1.0), "tpot_s": np.array(1.0)}, "arrays of one length"),
    ):
        with pytest.raises(InputError, match=message):
            replace(OBJECTIVES, **change)


def test_objectives_come_from_the_classes():
    """Claim: limits are those of each request's class; a class without one is refused only if it has requests."""
    work = Workload.of(range(5), [5] * 5, [3, 1, 5, 2, 4], class_id=[0, 1, 1, 1, 0], classes=CLASSES)
    found = Objectives.of(work)
    np.testing.assert_array_equal(found.ttft_s, OBJECTIVES.ttft_s)
    np.testing.assert_array_equal(found.tpot_s, OBJECTIVES.tpot_s)
    with pytest.raises(InputError, match="class 'none' of 'workload' has no SLO"):
        Objectives.of(Workload.of([0.0], [1], [1], class_id=[2], classes=CLASSES))


def test_lateness_needs_its_own_objectives():
    """Claim: without lateness, with other objectives or of another length nothing is scored."""
    with pytest.raises(InputError, match="simulate it with deadlines=True"):
        deadlines(replace(RUN, lateness_s=None), OBJECTIVES)
    for slo in (SLO(0.5, 0.5), SLO(9.0, 9.0), SLO(1e6, 1e6)):
        with pytest.raises(InputError, match="simulated with other objectives"):
            deadlines(RUN, Objectives.same(slo, 5))
    with pytest.raises(InputError, match="simulated with other objectives"):
        deadlines(replace(RUN, objectives=None), OBJECTIVES)
    with pytest.raises(InputError, match="2 objectives for a run of 5"):
        mean_tpot(RUN, Objectives.same(SLO(1.0, 1.0), 2))


@settings(max_examples=20)
@given(policy_names, services, seeds)
def test_every_gap_in_time_is_every_deadline_in_time(name, service, seed):
    """Claim: with a TPOT no token gap exceeds and a TTFT that all keep, every request keeps its deadlines; whoever
    keeps its deadlines completes within its life; attainment does not fall when the limits grow."""
    workload = random_workload(seed, n=30)
    fleet = Fleet.identical(tight_hardware(service, seed, 16))
    policy = build(name, workload, fleet)
    if policy is None:
        return
    run = simulate(workload, fleet, policy, token_gaps=True)
    tpot = run.token_gaps.quantile_s(1.0) * (1 + 1e-9) if run.token_gaps.tokens else 1.0
    loose = SLO(float(run.ttft_s.max()) * (1 + 1e-9), tpot)
    shares = []
    for slo in (SLO(loose.ttft_s / 3, loose.tpot_s / 3), SLO(loose.ttft_s, loose.tpot_s / 2), loose):
        work = replace(workload, classes=(RequestClass("all", slo),))
        objectives = Objectives.of(work)
        kept = deadlines(simulate(work, fleet, policy, deadlines=True), objectives)
        assert (run.latency_s[kept] <= objectives.life_s(run.output_tokens)[kept] + 1e-9).all()
        shares.append(kept.mean())
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
