"""The goodput LP: above every schedule, below the planning LP, exact where one can compute by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import REFERENCE

from fluid.demand import ClassRate
from fluid.goodput import goodput
from fluid.planning import capacity
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.request import SLO
from orsched.workloads import Workload
from tests.support.schedules import instances, random_schedule

FLEET = Fleet.identical(REFERENCE)
LOOSE = SLO(1e3, 1e3)


def check(instance, seed):
    """On time within a makespan: never more than the bound per second, when arrivals are no limit."""
    workload, fleet = instance
    first, done = random_schedule(workload, fleet, seed)
    steps = workload.output_tokens - 1
    ttft, tpot = first - workload.arrival_s, (done - first) / np.maximum(steps, 1)
    row = seed % len(workload)
    slo = SLO(float(ttft[row]), max(float(tpot[row]), 1e-9))
    met = np.sum((ttft <= slo.ttft_s) & ((tpot <= slo.tpot_s) | (steps == 0)))
    lengths = zip(workload.input_tokens.tolist(), workload.output_tokens.tolist(), strict=True)
    plenty = [ClassRate(1e6, *pair) for pair in sorted(set(lengths))]
    assert met <= goodput(plenty, fleet, slo).bound.value * (done.max() - workload.arrival_s[0])


@settings(max_examples=40, deadline=None)
@given(instances(), st.integers(0, 2**32))
def test_no_random_schedule_serves_more_per_second(instance, seed):
    check(instance, seed)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(instances(most=12, longest=20), st.integers(0, 2**32))
def test_no_random_schedule_serves_more_per_second_at_length(instance, seed):
    check(instance, seed)


def test_one_class_by_hand():
    """Batches of twelve just meet the objective: a decode takes a twelfth of one, the prefill comes extra."""
    service = REFERENCE.service
    decode = service.sequence_s + service.kv_token_s * 500
    tpot = service.base_s + 12 * decode
    prompt = 499 * service.prompt_token_s
    prefill = prompt + service.base_s * prompt / (0.2 - service.base_s)
    found = goodput([ClassRate(1e3, 499, 3)], FLEET, SLO(0.2, tpot))
    assert found.bound.value == pytest.approx(1 / (prefill + 2 * tpot / 12), rel=1e-4)
    assert found.prices["pace-0"] > 0


def test_loose_objectives_give_the_planning_lp():
    classes = [ClassRate(4.0, 300, 200), ClassRate(5.0, 800, 300)]
    plan = capacity(classes, FLEET, weights=np.ones(2), metric="throughput_requests_per_s")
    assert goodput(classes, FLEET, LOOSE).bound.value == pytest.approx(plan.bound.value, rel=1e-6)


def test_monotone_in_the_objective_and_the_fleet():
    classes = [ClassRate(20.0, 300, 200), ClassRate(20.0, 800, 300)]
    values = [goodput(classes, FLEET, SLO(0.1 * k, 0.0125 * k)).bound.value for k in (1, 1.2, 1.5, 2, 4)]
    assert values == sorted(values)
    assert values[0] < values[-1]
    one = goodput(classes, FLEET, SLO(0.2, 0.02)).bound.value
    thrice = [ClassRate(60.0, c.input_tokens, c.output_tokens) for c in classes]
    assert goodput(thrice, Fleet.identical(REFERENCE, 3), SLO(0.2, 0.02)).bound.value == pytest.approx(3 * one)


def test_classes_have_their_own_objectives():
    """A class that cannot meet its own objective counts for nothing; the other keeps its rate."""
    classes = [ClassRate(2.0, 300, 200), ClassRate(2.0, 800, 300)]
    found = goodput(classes, FLEET, [SLO(1.0, 0.1), SLO(1e-3, 0.1)])
    assert found.on_time_per_s == pytest.approx([2.0, 0.0])
    assert found.bound.value == pytest.approx(2.0)
    assert found.bound.certified


def test_weights_count_tokens():
    classes = [ClassRate(2.0, 300, 200), ClassRate(2.0, 800, 300)]
    weights = np.array([199.0, 299.0])
    found = goodput(classes, FLEET, LOOSE, weights=weights, metric="effective_throughput_tokens_per_s")
    assert found.bound.metric == "effective_throughput_tokens_per_s"
    assert found.bound.value == pytest.approx(2 * (199 + 299))


def test_a_workload_is_a_demand():
    rng = np.random.default_rng(0)
    path = Workload.of(np.cumsum(rng.exponential(0.2, 500)), rng.integers(50, 951, 500), rng.integers(20, 481, 500))
    found = goodput(path, FLEET, SLO(0.5, 0.014))
    assert 0 < found.bound.value < path.rate_per_s
    assert found.bound.validity == "fluid"


def test_as_many_objectives_as_classes():
    with pytest.raises(InputError, match="2 objectives for 1 classes"):
        goodput([ClassRate(1.0, 10, 10)], FLEET, [LOOSE, LOOSE])
