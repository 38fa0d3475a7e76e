"""Scores of runs worked out by hand, and of the engine's."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from instances import build, policy_names, random_workload, seeds, services, tight_hardware

from orsched import Fleet, simulate
from orsched.errors import InputError
from orsched.objectives import Objectives
from orsched.request import SLO, RequestClass
from orsched.run import Run
from orsched.scoring import (
    SCORINGS,
    deadlines,
    goodput_per_instance_s,
    goodput_per_server_hour,
    horizon_s,
    mean_tpot,
    score,
)
from orsched.workloads import Workload

NAN = float("nan")
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
)
CLASSES = (RequestClass("a", SLO(1.0, 1.0)), RequestClass("b", SLO(2.0, 2.0)), RequestClass("none"))
OBJECTIVES = Objectives(
    np.array([1.0, 2.0, 2.0, 2.0, 1.0]), np.array([1.0, 2.0, 2.0, 2.0, 1.0]), np.array([0, 1, 1, 1, 0]), ("a", "b")
)


def test_by_hand():
    """Claim: one row per class and one for all; the rejected request is a miss of its class."""
    a, b, everyone = score(RUN, OBJECTIVES, mean_tpot)
    assert (a.name, a.requests, a.met, a.rejected, a.unfinished) == ("a", 2, 1, 0, 0)
    assert (b.name, b.requests, b.met, b.rejected, b.unfinished) == ("b", 3, 1, 1, 0)
    assert (everyone.name, everyone.requests, everyone.met, everyone.attainment) == ("all", 5, 2, 0.4)
    assert everyone.goodput_per_s == pytest.approx(2 / 11)
    assert a.tpot_s == {"p50": 1.0, "p99": 2.0}
    assert b.ttft_s == {"p50": 1.0, "p99": 3.0}
    row = b.to_row()
    assert (row["class"], row["attainment"], row["ttft_p99_s"]) == ("b", pytest.approx(1 / 3), 3.0)
    assert everyone.interval() == pytest.approx((0.0527, 0.8534), abs=1e-4)


def test_deadlines_by_hand():
    """Claim: kept deadlines are those with a lateness of at most zero; a scoring is any function of both."""
    assert deadlines(RUN, OBJECTIVES).tolist() == [True, True, False, False, False]
    assert score(RUN, OBJECTIVES, deadlines)[-1].met == 2
    assert score(RUN, OBJECTIVES, lambda run, _: run.completion_s < 10)[-1].met == 3
    assert set(SCORINGS) == {"mean-tpot", "deadlines"}


def test_goodput_per_instance_and_server_hour():
    """Claim: two good requests in 11 s on two instances that were on for 18 s together."""
    met = mean_tpot(RUN, OBJECTIVES)
    assert horizon_s(RUN) == 11.0
    assert goodput_per_instance_s(RUN, met) == pytest.approx(2 / 22)
    assert goodput_per_server_hour(RUN, met) == pytest.approx(2 * 3600 / 18)
    with pytest.raises(InputError, match="no server-hours"):
        goodput_per_server_hour(replace(RUN, on_s=np.zeros(2)), met)


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
    for slo in (SLO(0.5, 0.5), SLO(9.0, 9.0)):
        with pytest.raises(InputError, match=r"request \d is late"):
            deadlines(RUN, Objectives.same(slo, 5))
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
