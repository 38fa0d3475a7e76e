"""Predicted lengths decide who runs: hand-made cases, starvation, the law."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import random_workload, seeds, services, tight_hardware
from laws import assert_exact

from orsched import Fleet, Hardware, Information, Workload, simulate
from orsched.prediction import Predictions
from orsched.service import Affine
from policies import build
from policies.learned_ranking import learned_ranking, sjf_predicted, srtf_predicted
from policies.parts.ranked import BatchLimits
from policies.parts.starvation import StarvationRule, StarvationWatch
from policies.predictors import Noise, Oracle
from policies.sjf import sjf
from policies.vllm_v1 import vllm_v1

ONE_SECOND = Affine(1.0, 0.0, 0.0, 0.0)


class Says:
    """Predicts what it is told."""

    name = "says"

    def __init__(self, *tokens):
        self.tokens = tokens

    def __call__(self, workload, rng, /):
        return Predictions.of(np.array(self.tokens))


def seats(count, capacity=1000):
    """Iterations of one second."""
    return Fleet.identical(Hardware("steady", ONE_SECOND, capacity, count))


def test_shortest_remaining_first_beats_first_come_first_served_on_the_mean():
    """Claim: by hand, one seat, 1 s an iteration. 10 tokens from 0 on and 2 tokens from 1.5 s on. First come first
    served: latencies 10 and 12 - 1.5, mean 10.25 s. The second has fewer tokens left at 2 s, runs until 4 s while the
    first pauses, which ends at 12 s: latencies 12 and 2.5, mean 7.25 s, without a preemption."""
    workload = Workload.of([0.0, 1.5], [5, 5], [10, 2])
    assert simulate(workload, seats(1), vllm_v1()).latency_s.mean() == pytest.approx(10.25)
    run = assert_exact(workload, seats(1), srtf_predicted(Oracle()))
    assert run.latency_s.tolist() == [12.0, 2.5]
    assert run.preemptions.sum() == 0


def test_what_is_left_counts_not_what_was_predicted():
    """Claim: by hand. At 8 s the first has 2 of 10 tokens left and the newcomer 3: it goes on. The learned ranking
    compares the predictions 10 and 3: the first pauses until 11 s."""
    workload = Workload.of([0.0, 7.5], [5, 5], [10, 3])
    assert simulate(workload, seats(1), srtf_predicted(Oracle())).completion_s.tolist() == [10.0, 13.0]
    assert simulate(workload, seats(1), learned_ranking(Oracle())).completion_s.tolist() == [13.0, 11.0]


def test_a_request_that_outlives_its_prediction_stays_ahead():
    """Claim: by hand. Predicted at 2 tokens, the first has -1 left after 3; the second, predicted at 1, does not
    overtake it."""
    workload = Workload.of([0.0, 2.5], [5, 5], [6, 1])
    assert simulate(workload, seats(1), srtf_predicted(Says(2, 1))).completion_s.tolist() == [6.0, 7.0]


def test_the_shortest_predicted_starts_first_and_is_not_interrupted():
    """Claim: by hand, one seat. Of two requests that wait behind a third the one predicted shorter starts first,
    whatever the truth; nobody pauses."""
    workload = Workload.of([0.0, 0.5, 0.6], [5, 5, 5], [3, 2, 4])
    run = simulate(workload, seats(1), sjf_predicted(Says(9, 8, 7)))
    assert run.first_scheduled_s.tolist() == [0.0, 7.0, 3.0]
    assert run.completion_s.tolist() == [3.0, 9.0, 7.0]


def test_sjf_with_predictions_is_sjf():
    """Claim: `sjf-predicted` is the policy sjf with a predictor, bit for bit."""
    workload = random_workload(5)
    fleet = Fleet.identical(tight_hardware(ONE_SECOND, 5, 16))
    left, right = (simulate(workload, fleet, p) for p in (sjf_predicted(Noise(0.5)), sjf().predicted_by(Noise(0.5))))
    np.testing.assert_array_equal(left.completion_s, right.completion_s)


def test_a_starving_request_runs_ten_steps_after_two_hundred():
    """Claim: the published limits, by hand. One seat, 1 s an iteration, a one-token request every second for 700 s. A
    request of 30 tokens, predicted longest, starts after 200 idle steps, runs 10, and again from 410 and 620 on."""
    stream = np.arange(700.0)
    workload = Workload.of(np.r_[0.0, stream], np.ones(701, int), np.r_[30, np.ones(700, int)])
    run = simulate(workload, seats(1), learned_ranking(Oracle()))
    assert run.first_scheduled_s[0] == 200
    assert run.completion_s[0] == 630
    patient = learned_ranking(Oracle(), starvation=StarvationRule())
    assert simulate(workload, seats(1), patient).completion_s[0] == 730


def test_steps_in_the_top_class_are_those_it_runs():
    """Claim: promoted after 5 idle steps for 3, a request that waits 10 more before it runs, runs 2 and pauses, has one
    left; a new promotion gives it 3 again."""
    watch = StarvationWatch(StarvationRule(5, 3))
    watch.stopped([1], 0)
    assert watch.next_change(0) == 5
    assert watch.update(4, ()) == []
    assert watch.update(5, ()) == [1]
    watch.started([1], 8)
    assert watch.next_change(8) == 3
    watch.stopped([1], 10)
    assert watch.update(12, ()) == []
    assert watch.promoted(1)
    watch.started([1], 14)
    assert watch.next_change(14) == 1
    assert watch.update(15, (1,)) == []
    assert not watch.promoted(1)


@settings(max_examples=60)
@given(
    seeds,
    services,
    st.sampled_from([1, 16]),
    st.integers(1, 6),
    st.sampled_from([20, 300, 2048]),
    st.sampled_from([0.0, 0.5, math.inf]),
    st.sampled_from([(math.inf, 10), (200, 10), (5, 2), (1, 1)]),
    st.booleans(),
)
def test_the_law_holds_where_everything_binds(seed, service, block, count, tokens, cap, starvation, remaining):
    """Claim: with few seats and prompt tokens, wrong predictions, promotion all the time and any cap on preemptions,
    everybody completes under memory pressure and epochs of length one give the same run."""
    limits = BatchLimits(count, tokens)
    policy = (
        srtf_predicted(Noise(0.8), limits, cap)
        if remaining
        else learned_ranking(Noise(0.8), limits, StarvationRule(*starvation), cap)
    )
    assert_exact(random_workload(seed, n=40), Fleet.identical(tight_hardware(service, seed, block)), policy)


@pytest.mark.parametrize("name", ["sjf-predicted", "srtf-predicted", "learned-ranking"])
def test_the_registry_has_them_with_noise(name):
    """Claim: by default lengths are predicted with log-normal noise of 0.5, and tables say so."""
    workload = random_workload(1)
    policy = build(name, workload, seats(8))
    assert policy.name == name
    assert policy.information is Information.PREDICTED
    assert policy.settings["predictor"] == "noise:0.5"
