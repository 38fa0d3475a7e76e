"""FastServe: skip-join, quanta, the order of the queues, promotion, memory."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import random_workload, seeds, services, tight_hardware
from laws import assert_exact

from orsched import Fleet, Hardware, Workload, simulate
from orsched.service import Affine
from policies.fastserve import SkipJoin, fastserve
from policies.parts.feedback_queues import FeedbackQueues
from policies.parts.ranked import BatchLimits, PreemptionCap


def steady(iteration_s, capacity=1000, seats=1):
    """One kind of instance whose iterations all take the same time."""
    return Fleet.identical(Hardware("steady", Affine(iteration_s, 0.0, 0.0, 0.0), capacity, seats))


def fastserve_with(batcher):
    """The policy with another batcher."""
    return replace(fastserve(batcher.service), batch=batcher)


@pytest.mark.parametrize(("prompt", "queue"), [(1, 0), (50, 0), (51, 1), (150, 1), (151, 2), (350, 2), (351, 3)])
def test_skip_join_enters_at_the_first_queue_that_covers_the_prefill(prompt, queue):
    """Claim: by hand. A prefill of 5 ms + 0.1 ms a token takes 10 ms for 50 tokens, 20 ms for 150, 40 ms for 350; the
    quanta are 10, 20, 40, 80 ms."""
    assert SkipJoin(Affine(0.005, 1e-4, 0.0, 0.0)).entry(prompt) == queue


def test_the_last_queue_takes_what_no_quantum_covers():
    """Claim: with three queues a prefill of 100 s joins the third; with one queue everything joins it."""
    long = Affine(100.0, 0.0, 0.0, 0.0)
    assert SkipJoin(long, queues=3).entry(1) == 2
    assert SkipJoin(long, queues=1).entry(1) == 0


def test_mlfq_order_by_hand():
    """Claim: by hand, one seat, 4 ms an iteration, quanta 10 and 20 ms. The first request (5 tokens) runs for three
    iterations, since 8 ms are not more than 10; at 12 ms it goes one queue down and pauses for the second (2 tokens),
    which arrived at 5 ms, and ends at 20 ms. The first goes on where it was: no token is computed twice."""
    workload = Workload.of([0.0, 0.005], [10, 10], [5, 2])
    fleet = steady(0.004)
    run = assert_exact(workload, fleet, fastserve(fleet.hardware.service))
    np.testing.assert_allclose(run.first_scheduled_s, [0.0, 0.012])
    np.testing.assert_allclose(run.completion_s, [0.028, 0.020])
    assert run.preemptions.sum() == 0


def test_a_queue_is_first_come_first_served_and_demoted_requests_go_to_the_front():
    """Claim: by hand, one seat, 12 ms an iteration, so that prompts join queue 1 with its 20 ms: two iterations. Three
    requests of 3 tokens come together and run there in order of arrival; the one demoted last is at the front of
    queue 2, so they end in the order 2, 1, 0."""
    workload = Workload.of([0.0, 0.0, 0.0], [10, 10, 10], [3, 3, 3])
    fleet = steady(0.012)
    run = assert_exact(workload, fleet, fastserve(fleet.hardware.service))
    np.testing.assert_allclose(run.first_token_s, [0.012, 0.036, 0.060])
    np.testing.assert_allclose(run.completion_s, [0.108, 0.096, 0.084])


def test_a_long_request_among_short_ones_is_promoted_after_a_thousand_iterations():
    """Claim: the published limits, by hand. One seat, 10 ms an iteration, a one-token request every 10 ms for 20 s. The
    first request, of 4 tokens, runs twice (10 ms are not more than the quantum), is demoted and overtaken by
    everybody; after iteration 1000 it has not run for 9.98 s, goes to queue 0 and runs twice more: it ends at 10.02 s.
    Without the rule it waits for the end of the stream."""
    stream = 0.015 + 0.01 * np.arange(2000)
    workload = Workload.of(np.r_[0.0, stream], np.ones(2001, int), np.r_[4, np.ones(2000, int)])
    fleet = steady(0.01)
    run = simulate(workload, fleet, fastserve(fleet.hardware.service))
    assert run.completion_s[0] == pytest.approx(10.02)
    starving = SkipJoin(fleet.hardware.service, starvation_period=10**9)
    run = simulate(workload, fleet, fastserve_with(starving))
    assert run.completion_s[0] > 20


@settings(max_examples=50)
@given(
    seeds,
    services,
    st.sampled_from([1, 16]),
    st.integers(1, 6),
    st.sampled_from([20, 300, 2048]),
    st.sampled_from([0.003, 0.01, 0.05]),
    st.sampled_from([1, 2, 16]),
    st.sampled_from([0.0, 0.5, math.inf]),
    st.sampled_from([(0.05, 7), (3.0, 1000)]),
)
def test_the_law_holds_where_everything_binds(seed, service, block, seats, tokens, quantum, queues, cap, starvation):
    """Claim: with few seats and prompt tokens, any quanta, promotion all the time and any cap on preemptions, everybody
    completes under memory pressure and epochs of length one give the same run."""
    batcher = SkipJoin(service, quantum, queues, *starvation, limits=BatchLimits(seats, tokens), cap=PreemptionCap(cap))
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    assert_exact(random_workload(seed, n=40), fleet, fastserve_with(batcher))


@settings(max_examples=30)
@given(seeds, st.sampled_from([0.0025, 0.01, 0.02]))
def test_quanta_that_end_exactly_with_an_iteration_decide_the_same_however_times_are_summed(seed, iteration_s):
    """Claim: where time used equals the quantum up to rounding, epochs and single iterations agree."""
    rng = np.random.default_rng(seed)
    workload = Workload.of(
        np.sort(rng.integers(0, 60, 20)) * iteration_s, rng.integers(1, 9, 20), rng.integers(1, 40, 20)
    )
    if workload.span_s:
        fleet = steady(iteration_s, seats=2)
        assert_exact(workload, fleet, fastserve(fleet.hardware.service))


def test_the_quantum_is_measured_while_a_request_runs():
    """Claim: a pause counts for nothing, and what was used before it counts."""
    queues = FeedbackQueues([1.0, 2.0])
    queues.join(7, 0, 0.0)
    queues.start([7], 10.0)
    assert queues.next_expiry_s() == pytest.approx(11.0)
    queues.stop([7], 10.4)
    assert queues.next_expiry_s() == math.inf
    queues.start([7], 50.0)
    assert queues.next_expiry_s() == pytest.approx(50.6)
    queues.demote(50.6)
    assert queues.rank(7)[0] == 0
    queues.demote(50.7)
    assert queues.rank(7)[0] == 1
    assert queues.next_expiry_s() == math.inf
