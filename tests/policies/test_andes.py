"""Andes-like scheduling: the gain, the cap on preemptions, the law, and that it does what it is for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import REFERENCE, random_workload, seeds, services, tight_hardware
from laws import assert_exact

from orsched import Fleet, Hardware, Policy, Workload, simulate
from orsched.errors import InputError
from orsched.qoe import qoe
from orsched.service import Affine
from orsched.workloads import workload_source
from policies import build
from policies.andes import ByGain, Reader, andes
from policies.parts.ranked import BatchLimits, PreemptionCap
from policies.parts.waiting_list import by_arrival

READER = Reader(ttft_s=1.0, tokens_per_s=4.0, horizon_s=10.0)


@settings(max_examples=200)
@given(st.floats(0, 50), st.integers(0, 400))
def test_the_gain_is_the_area_that_serving_adds(age_s, emitted):
    """Claim: the closed form is the integral of what is read if served less what is read if not, over the horizon,
    divided by the area of what is expected to be read by its end (midpoint rule, 20,000 steps)."""
    end = age_s + READER.horizon_s
    time = age_s + (np.arange(20_000) + 0.5) * READER.horizon_s / 20_000
    expected = READER.tokens_per_s * np.maximum(time - READER.ttft_s, 0)
    read = min(emitted, READER.tokens_per_s * max(age_s - READER.ttft_s, 0))
    start = max(age_s, READER.ttft_s)
    served = np.minimum(expected, read + READER.tokens_per_s * np.maximum(time - start, 0))
    extra = served - np.minimum(served, emitted)
    whole = READER.tokens_per_s * (end - READER.ttft_s) ** 2 / 2
    assert READER.gain(age_s, emitted) == pytest.approx(extra.mean() * READER.horizon_s / whole, abs=1e-3)


def test_gains_by_hand():
    """Claim: a newcomer gains 1; 9 s late, half its horizon is lost: (10 / 20)^2; with 20 tokens, read until 6 s, a
    request of age 2 is dry for 6 of the 11 s until the end: (6 / 11)^2; with 100 tokens nothing is gained."""
    assert READER.gain(0.0, 0) == 1
    assert READER.gain(11.0, 0) == pytest.approx(0.25)
    assert READER.gain(2.0, 20) == pytest.approx((6 / 11) ** 2)
    assert READER.gain(2.0, 100) == 0


@pytest.mark.parametrize(("cap", "first_token", "preemptions"), [(0.0, 42.0, [0, 0]), (1.0, 11.0, [1, 0])])
def test_a_request_far_ahead_of_its_reader_gives_way(cap, first_token, preemptions):
    """Claim: by hand, 1 s an iteration, 50 tokens of memory. The first (prompt 10, 41 outputs) has emitted 10 tokens
    at 10 s; read at one token in 10 s they last beyond the horizon, so it gains nothing. The second (prompt 40), which
    arrived at 9.5 s, gains 1 and takes the memory, if a preemption is allowed; otherwise it waits until 41 s."""
    workload = Workload.of([0.0, 9.5], [10, 40], [41, 2])
    fleet = Fleet.identical(Hardware("hand", Affine(1.0, 0.0, 0.0, 0.0), 50, 8))
    run = assert_exact(workload, fleet, andes(Reader(1.0, 0.1, 10.0), preemption_cap=cap))
    assert run.first_token_s[1] == first_token
    assert run.preemptions.tolist() == preemptions


@settings(max_examples=60)
@given(
    seeds,
    services,
    st.sampled_from([1, 16]),
    st.integers(1, 12),
    st.sampled_from([0.03, 0.5, 5.0]),
    st.sampled_from([0.0, 0.5, math.inf]),
    st.sampled_from([0.5, 5.0, 40.0]),
)
def test_the_law_holds_where_everything_binds(seed, service, block, seats, interval_s, cap, speed):
    """Claim: with few seats, any interval, cap and reading speed, everybody completes under memory pressure and epochs
    of length one give the same run."""
    policy = andes(Reader(0.2, speed, 3.0), interval_s, cap, BatchLimits(seats, 300))
    assert_exact(random_workload(seed, n=40), Fleet.identical(tight_hardware(service, seed, block)), policy)


@settings(max_examples=20)
@given(seeds, st.sampled_from([0.1, 0.05, 0.125]))
def test_equal_gains_stay_equal_however_times_are_summed(seed, iteration_s):
    """Claim: where ages are multiples of the iteration time, so that gains coincide and decisions fall on iteration
    ends, epochs and single iterations agree."""
    rng = np.random.default_rng(seed)
    workload = Workload.of(
        np.sort(rng.integers(0, 40, 20)) * iteration_s, rng.integers(1, 4, 20), rng.integers(1, 40, 20)
    )
    if workload.span_s:
        fleet = Fleet.identical(Hardware("steady", Affine(iteration_s, 0.0, 0.0, 0.0), 60, 3))
        assert_exact(workload, fleet, andes(Reader(0.5, 2.0, 4.0), 0.5, 1.0))


@pytest.mark.parametrize("begin", [0.0, 1e6])
@pytest.mark.parametrize("iteration_s", [0.00999999, 0.05 - 1e-8, 0.125 - 1e-7, 0.125 - 2.5e-7])
def test_decisions_that_fall_just_before_an_iteration_end_are_made_once(iteration_s, begin):
    """Claim: where iterations end a hair before the next decision is due, it is made at the same end whether or not
    the policy is asked in between, late on the clock too."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        arrivals = begin + np.sort(rng.choice([0.0, 0.5, 1.0], 12))
        workload = Workload.of(arrivals, rng.integers(1, 30, 12), rng.integers(20, 120, 12))
        fleet = Fleet.identical(Hardware("steady", Affine(iteration_s, 0.0, 0.0, 0.0), int(rng.integers(150, 300)), 8))
        assert_exact(workload, fleet, andes(preemption_cap=math.inf))


@settings(max_examples=30)
@given(seeds, st.sampled_from([0.0, 0.2, 1.0]))
def test_preemptions_that_make_room_keep_to_the_cap(seed, cap):
    """Claim: at a decision no more residents are preempted for others than the cap leaves; at other times only for
    growth: then nobody is admitted in the same step."""
    batcher = ByGain(Reader(0.2, 5.0, 3.0), 0.1, PreemptionCap(cap))

    def batch(view):
        before, decides = view.memo.get("preempted", 0), view.now_s >= view.memo.get("next_s", 0.0)
        short = view.growth_blocks((0,)) - view.free_blocks
        plan = batcher(view)
        if plan.preempt and short <= 0:
            assert decides
            assert len(plan.preempt) <= cap * len(view.arrived) - before
        if plan.preempt and not decides:
            assert not plan.prefill
        return plan

    policy = Policy("watched", batch, num_cohorts=2, order=by_arrival)
    simulate(
        random_workload(seed, n=40), Fleet.identical(tight_hardware(Affine(0.012, 6e-5, 5e-5, 1e-7), seed, 1)), policy
    )


def test_beats_first_come_first_served_on_quality_of_experience():
    """Claim: on 600 requests of the reference instance at load 1.2 the mean quality of experience of its own readers
    (1 s, 4.8 tokens/s) is above that of vLLM v1 by more than 0.05."""
    source, fleet = workload_source("reference"), Fleet.identical(REFERENCE)
    workload = source.draw(600, np.random.default_rng(1)).at_load(1.2, fleet)
    mean = {
        name: qoe(simulate(workload, fleet, build(name, source.whole(), fleet)), 1.0, 4.8).mean()
        for name in ("andes", "vllm-v1")
    }
    assert mean["andes"] > mean["vllm-v1"] + 0.05, mean


def test_a_horizon_ends_after_the_first_token():
    """Claim: a horizon that ends before the first token is expected is refused."""
    with pytest.raises(InputError, match="must be above ttft_s"):
        Reader(ttft_s=5.0, horizon_s=5.0)
