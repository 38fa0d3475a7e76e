"""Published rules in unit rounds: against plain implementations, and against the bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from round_instances import optimum, round_instances
from round_rules import columns, law_of_the_paper, start_rounds, svf_rounds

from fluid.hindsight import (
    RoundInstance,
    a_max_starts,
    a_min_completions,
    check_schedule,
    mc_benchmark_starts,
    mc_sf_starts,
    scan_starts,
    simple_bound,
    svf_starts,
    total_latency,
)
from orsched.errors import InputError
from policies.sorted_f import exact, local_swap, sorted_f_starts


def instance_of(seed, burst):
    capacity, arrivals, prompts, outputs = law_of_the_paper(seed, burst)
    return RoundInstance.of(arrivals, prompts, outputs, capacity)


def ends(instance, seed):
    rng = np.random.default_rng(seed)
    truth = instance.output_tokens
    return rng.integers(1, truth + 1), truth + rng.integers(0, 30, len(truth))


@pytest.mark.parametrize("burst", [True, False])
def test_list_rules_are_the_plain_ones(burst):
    """Claim: MC-SF, MC-Benchmark and SVF start as their rules written out round by round."""
    for seed in range(15):
        instance = instance_of(seed, burst)
        plain, memory = columns(instance), instance.memory_tokens
        assert mc_sf_starts(instance).tolist() == start_rounds(*plain, memory)
        assert mc_benchmark_starts(instance).tolist() == start_rounds(*plain, memory, order=lambda queue, _: queue)
        assert svf_starts(instance).tolist() == svf_rounds(*plain, memory)


@settings(max_examples=60, deadline=None)
@given(round_instances())
def test_no_rule_beats_the_optimum(instance):
    """Claim: every schedule is valid and at least the optimum by enumeration, which is at least the bounds; cancelled
    runs of A_min left out, its completions are a schedule too."""
    low, high = ends(instance, len(instance))
    assert_valid_and_no_better(
        instance,
        mc_benchmark_starts(instance),
        svf_starts(instance),
        a_max_starts(instance, high),
        a_min_completions(instance, low) - instance.output_tokens,
    )


@settings(max_examples=40, deadline=None)
@given(round_instances(latest=0))
def test_sorted_f_does_not_beat_the_optimum(instance):
    """Claim: the same for Sorted-F on bursts, with the best batches and with swapped ones."""
    assert_valid_and_no_better(instance, *(sorted_f_starts(instance, select) for select in (exact, local_swap)))


def assert_valid_and_no_better(instance, *schedules):
    best = optimum(instance)
    assert best >= simple_bound(instance)
    for starts in schedules:
        check_schedule(instance, starts)
        assert total_latency(instance, starts) >= best


@pytest.mark.parametrize("burst", [True, False])
def test_with_the_truth_a_max_and_a_min_are_mc_sf(burst):
    """Claim: planning with the true lengths nothing overflows and the schedule is MC-SF's."""
    for seed in range(8):
        instance = instance_of(seed, burst)
        expected, truth = mc_sf_starts(instance), instance.output_tokens
        np.testing.assert_array_equal(a_max_starts(instance, truth), expected)
        np.testing.assert_array_equal(a_min_completions(instance, truth), expected + truth)


def test_a_planned_length_is_given_back_at_the_completion():
    """Claim: by hand. Memory 10, no prompts, 3 outputs each, planned with 8. Two started d rounds apart would hold
    8 + 8 - d together, more than 10 until d = 6; the first completes at 3, and the second starts then."""
    instance = RoundInstance.of([0, 0], [0, 0], [3, 3], 10)
    assert mc_sf_starts(instance).tolist() == [0, 0]
    assert a_max_starts(instance, np.array([8, 8])).tolist() == [0, 3]


def test_a_cancelled_run_of_a_min_starts_from_nothing():
    """Claim: by hand. Memory 9, prompts of 1, outputs 5 and 4, lower ends 2 and 3. Both hold 4 in round 3 with bounds
    of 4; round 4 would hold 10, so the second is evicted. At 4 its 2 fit beside the 6 of the first, whose bound is 5:
    it starts over and runs 4 rounds."""
    instance = RoundInstance.of([0, 0], [1, 1], [5, 4], 9)
    assert a_min_completions(instance, np.array([2, 3])).tolist() == [5, 8]


def test_svf_keeps_its_guarantee():
    """Claim: 200 requests with peaks of at most 2500 in a memory of 20000: total latency is at most 23/7, that is
    1 + 2 / (1 - 1/8), times the lower bound, on 5 seeds."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        outputs = rng.integers(1, 501, 200)
        prompts = rng.integers(0, 2001, 200)
        instance = RoundInstance.of(np.zeros(200), prompts, outputs, 20_000)
        starts = svf_starts(instance)
        check_schedule(instance, starts)
        assert 7 * total_latency(instance, starts) <= 23 * simple_bound(instance)


def test_ties_go_to_the_earlier_index():
    """Claim: equal keys are scanned by index."""
    instance = RoundInstance.of([0, 0, 0], [0, 0, 0], [2, 2, 2], 4)
    assert scan_starts(instance, np.zeros(3)).tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i: a_max_starts(i, np.array([3, 1])), "request 1 has 2 output tokens, it is planned with 1"),
        (lambda i: a_min_completions(i, np.array([0, 1])), "request 0 has 2 output tokens and the lower end 0"),
        (lambda i: a_min_completions(i, np.array([1, 3])), "request 1 has 2 output tokens and the lower end 3"),
    ],
)
def test_intervals_must_contain_the_truth(call, message):
    """Claim: the message names the request."""
    with pytest.raises(InputError, match=message):
        call(RoundInstance.of([0, 0], [1, 1], [2, 2], 9))
