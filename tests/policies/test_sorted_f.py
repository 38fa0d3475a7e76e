"""Sorted-F: the best batch, the heuristics, the order, the policy against its rule round by round."""

from fractions import Fraction
from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import SERVICE_MODELS, random_workload, seeds, services, tight_hardware
from laws import assert_exact
from round_rules import columns, served, small_instance, start_rounds

from fluid.hindsight import RoundInstance, check_schedule, simple_bound, total_latency
from orsched import Fleet, simulate
from orsched.errors import InputError
from policies.mc_sf import mc_sf
from policies.sorted_f import (
    batches,
    exact,
    f_value,
    improved,
    local_swap,
    lp_rounding,
    lp_swap,
    quantile_greedy,
    sorted_f,
    sorted_f_starts,
)

HEURISTICS = {"quantile_greedy": quantile_greedy, "local_swap": local_swap}
LINEAR = {"lp_rounding": lp_rounding, "lp_swap": lp_swap}


@st.composite
def choices(draw, most=9):
    """Sizes, outputs and a capacity that every request fits into."""
    capacity = draw(st.integers(3, 40))
    outputs = draw(st.lists(st.integers(1, capacity), min_size=1, max_size=most))
    prompts = [draw(st.integers(0, capacity - o)) for o in outputs]
    return np.array(prompts) + np.array(outputs), np.array(outputs), capacity


def least_f(sizes, outputs, capacity):
    """Least F over all subsets that fit."""
    n = len(sizes)
    subsets = (list(c) for k in range(1, n + 1) for c in combinations(range(n), k))
    return min(f_value(outputs[c]) for c in subsets if sizes[c].sum() <= capacity)


@given(choices())
@settings(max_examples=80)
def test_the_exact_batch_is_the_best_of_all_subsets(case):
    """Claim: the dynamic programme finds the least F, by enumeration of all subsets."""
    sizes, outputs, capacity = case
    chosen = exact(sizes, outputs, capacity)
    assert len(set(chosen)) == len(chosen) > 0
    assert sizes[chosen].sum() <= capacity
    assert f_value(outputs[chosen]) == least_f(sizes, outputs, capacity)


@pytest.mark.parametrize("name", [*HEURISTICS, *LINEAR])
@given(case=choices())
@settings(max_examples=25)
def test_heuristics_fit(name, case):
    """Claim: every selection is feasible."""
    sizes, outputs, capacity = case
    chosen = {**HEURISTICS, **LINEAR}[name](sizes, outputs, capacity)
    assert len(set(chosen)) == len(chosen) > 0
    assert sizes[chosen].sum() <= capacity


@pytest.mark.parametrize(
    ("name", "factor", "least_share"),
    [("quantile_greedy", 1.5, 0.97), ("local_swap", 1.35, 0.99), ("lp_rounding", 2.2, 0.93), ("lp_swap", 2.2, 0.97)],
)
def test_heuristics_are_nearly_the_best(name, factor, least_share):
    """Claim, found empirically and no guarantee: on 400 random small instances F is at most `factor` of the least, and
    the least on at least `least_share` of them. (On 60,000 instances of this law the worst factors were 1.34 and 1.29,
    on 20,000 2.0 and 2.0; the least was found on 99.1%, 99.8%, 97.1% and 99.0%.)"""
    ratios = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        capacity, count = int(rng.integers(3, 41)), int(rng.integers(1, 10))
        outputs = rng.integers(1, capacity + 1, count)
        sizes = outputs + rng.integers(0, capacity - outputs + 1)
        chosen = {**HEURISTICS, **LINEAR}[name](sizes, outputs, capacity)
        ratios.append(f_value(outputs[chosen]) / f_value(outputs[exact(sizes, outputs, capacity)]))
    assert min(ratios) >= 1
    assert max(ratios) <= factor
    assert ratios.count(1) >= least_share * len(ratios)


@given(choices(most=30), seeds)
@settings(max_examples=60)
def test_swaps_never_make_a_batch_worse_and_end_where_none_helps(case, seed):
    """Claim: from any batch that fits the result fits, has no larger F, and no single drop, addition or exchange has a
    smaller one."""
    sizes, outputs, capacity = case
    order = np.random.default_rng(seed).permutation(len(sizes))
    start = order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]), capacity, side="right")))].tolist()
    found = set(improved(sizes, outputs, capacity, start))
    assert sizes[[*found]].sum() <= capacity
    assert f_value(outputs[[*found]]) <= f_value(outputs[start])
    others = set(range(len(sizes))) - found
    moves = (
        [found - {i} for i in found]
        + [found | {j} for j in others]
        + [found - {i} | {j} for i in found for j in others]
    )
    assert all(
        f_value(outputs[[*m]]) >= f_value(outputs[[*found]]) for m in moves if m and sizes[[*m]].sum() <= capacity
    )


def test_local_swap_is_at_least_as_good_as_the_quantile_greedy():
    """Claim: it starts there."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        outputs = rng.integers(1, 200, 60)
        sizes = outputs + rng.integers(1, 300, 60)
        left, right = (select(sizes, outputs, 3000) for select in (local_swap, quantile_greedy))
        assert f_value(outputs[left]) <= f_value(outputs[right])


def test_f_balances_size_against_length():
    """Claim: by hand. Memory 10, three requests of prompt 0 with 1, 4 and 5 outputs. F is 1 for the first alone, 5/4
    for the first two, 10/9 for all three; so the first is the first batch, then 9/4 beats 4 and 5."""
    assert f_value(np.array([1, 4, 5])) == Fraction(10, 9)
    for select in (exact, quantile_greedy, local_swap, lp_rounding, lp_swap):
        assert batches([0, 0, 0], [1, 4, 5], 10, select) == [[0], [1, 2]]


def test_batches_hold_everybody_once_in_order_of_output():
    """Claim: a partition; each batch fits and is sorted by output length, ties by index."""
    rng = np.random.default_rng(1)
    outputs, prompts = rng.integers(1, 20, 40), rng.integers(0, 30, 40)
    for select in (exact, quantile_greedy, local_swap):
        formed = batches(prompts, outputs, 100, select)
        assert sorted(i for batch in formed for i in batch) == list(range(40))
        for batch in formed:
            assert (prompts + outputs)[batch].sum() <= 100
            assert batch == sorted(batch, key=lambda i: (outputs[i], i))


@pytest.mark.parametrize("select", [quantile_greedy, local_swap, exact])
def test_a_burst_is_served_in_the_order_of_the_batches(select):
    """Claim: in unit rounds and without arrivals the policy starts everybody as `sorted_f_starts` does; the schedule is
    valid and its total latency at least the bounds."""
    for seed in range(12):
        instance = small_instance(seed, True, 25)
        run = served(instance, sorted_f(select))
        starts = sorted_f_starts(instance, select)
        check_schedule(instance, starts)
        np.testing.assert_array_equal(run.first_scheduled_s, starts)
        assert run.latency_s.sum() == total_latency(instance, starts) >= simple_bound(instance)


@pytest.mark.parametrize("select", [quantile_greedy, exact])
def test_with_arrivals_batches_are_formed_anew(select):
    """Claim: in unit rounds starts equal a round-by-round rule that forms all batches whenever somebody has arrived or
    all that were in batches have started, on 25 instances with Poisson arrivals."""
    for seed in range(25):
        instance = small_instance(seed, False, 40)
        prompts, outputs = instance.prompt_tokens, instance.output_tokens
        known, sequence = set(), []

        def order(queue, _, prompts=prompts, outputs=outputs, memory=instance.memory_tokens):
            nonlocal known, sequence
            if not known.issuperset(queue) or not known & set(queue):
                ranked = sorted(queue, key=lambda i: (outputs[i], i))
                formed = batches(prompts[ranked], outputs[ranked], memory, select)
                known, sequence = set(queue), [ranked[i] for batch in formed for i in batch]
            return [i for i in sequence if i in queue]

        expected = start_rounds(*columns(instance), instance.memory_tokens, order=order)
        np.testing.assert_array_equal(served(instance, sorted_f(select)).first_scheduled_s, expected)


@settings(max_examples=30)
@given(seeds, services, st.sampled_from([1, 16]), st.sampled_from([1, 3, 128]))
def test_any_window_serves_everybody_without_preemption(seed, service, block, window):
    """Claim: with windows down to one request nobody is lost or preempted, and epochs of length one give the same
    run."""
    workload, fleet = random_workload(seed), Fleet.identical(tight_hardware(service, seed, block))
    assert assert_exact(workload, fleet, sorted_f(window=window)).preemptions.sum() == 0


def test_a_window_of_one_is_the_queue():
    """Claim: batches of one request, the shortest output first, are MC-SF."""
    workload, fleet = random_workload(2), Fleet.identical(tight_hardware(SERVICE_MODELS["affine"], 2, 1))
    left, right = (simulate(workload, fleet, policy) for policy in (sorted_f(window=1), mc_sf()))
    np.testing.assert_array_equal(left.completion_s, right.completion_s)


def test_settings_name_the_selection():
    """Claim: results say which selection ran, also when it was given parameters."""
    assert sorted_f().settings == {"select": "quantile_greedy", "window": 128}
    assert "quantile_greedy" in sorted_f(partial(quantile_greedy, levels=(0.5,))).settings["select"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batches([1, 2], [3], 10, exact), "need one each"),
        (lambda: batches([1.5], [3], 10, exact), "whole numbers"),
        (lambda: batches([1], [0], 10, exact), "whole numbers"),
        (lambda: batches([8], [3], 10, exact), "request 0 needs 11 tokens, the memory is 10"),
        (lambda: exact(np.full(400, 10), np.full(400, 5), 4000), "at most 50000000; use local_swap or quantile_greedy"),
        (lambda: sorted_f_starts(RoundInstance.of([0, 1], [1, 1], [1, 1], 5)), "must arrive together"),
    ],
)
def test_impossible_input_is_refused(call, message):
    """Claim: the message names what is wrong."""
    with pytest.raises(InputError, match=message):
        call()
