"""alpha-protection and alpha-clearing: the free share, the clearing, the random draws, the end."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import SERVICE_MODELS, edge_of_memory, random_workload, seeds, services, tight_hardware
from laws import assert_exact
from round_rules import served, small_instance

from fluid.hindsight import simple_bound
from orsched import Fleet, Hardware, Policy, Workload, simulate
from orsched.service import Affine
from policies.alpha_protection import ClearEach, alpha_clearing, alpha_protection

ROUND = Affine(1.0, 0.0, 0.0, 0.0)
CLEARINGS = {"all": alpha_protection, "each": alpha_clearing}


def watched(policy, seen):
    def batch(view):
        plan = policy.batch(view)
        seen(view, plan)
        return plan

    return Policy("watched", batch)


@settings(max_examples=60)
@given(seeds, services, st.sampled_from([0.1, 0.25, 0.6]), st.sampled_from([1, 16]), st.sampled_from([*CLEARINGS]))
def test_admission_leaves_the_share_free(seed, service, alpha, block, clearing):
    """Claim: whenever a request is admitted beside another, at least alpha M is free after that iteration."""

    def seen(view, plan):
        beside = view.num_running - len(plan.preempt) + len(plan.prefill)
        if plan.prefill and beside > 1:
            kept = [r for r in view.running if r not in plan.preempt]
            after = [view.cached_tokens(r) + 1 for r in kept] + [chunk.tokens for chunk in plan.prefill]
            assert view.capacity_blocks - sum(map(view.blocks_for, after)) >= alpha * view.capacity_blocks

    fleet = Fleet.identical(tight_hardware(service, seed, block))
    simulate(random_workload(seed), fleet, watched(CLEARINGS[clearing](alpha), seen), check=True)


def test_clears_everybody_on_overflow():
    """Claim: by hand. Memory 10, 3 kept free; two prompts of 3 with 6 outputs start at 0 and hold 5 each at 3 s, having
    emitted 3. The next iteration does not fit: both are cleared, the first recomputes 6 tokens and ends at 6 s, the
    second, whose 6 do not fit beside, at 9 s."""
    workload = Workload.of([0.0, 0.0], [3, 3], [6, 6])
    run = simulate(workload, Fleet.identical(Hardware("hand", ROUND, 10, 8)), alpha_protection(0.3), check=True)
    assert run.completion_s.tolist() == [6.0, 9.0]
    assert run.preemptions.tolist() == [1, 1]


@pytest.mark.parametrize("clearing", [*CLEARINGS])
@settings(max_examples=60)
@given(seed=seeds, alpha=st.sampled_from([0.0, 0.1, 0.3]), block=st.sampled_from([1, 7, 16]))
def test_ends_where_memory_overflows_all_the_time(clearing, seed, alpha, block):
    """Claim: everybody is served, in at most as many iterations as there are output tokens, and epochs of length one
    give the same run: draws are made on overflow only, however often the policy is asked."""
    workload, edge = edge_of_memory(seed, block)
    run = assert_exact(workload, Fleet.identical(edge), CLEARINGS[clearing](alpha))
    assert run.iterations.sum() <= workload.output_tokens.sum()


def test_seeds_matter_on_overflow_only():
    """Claim: with ample memory every seed gives the run of alpha-protection; at the edge seeds differ."""
    workload = random_workload(4)
    ample = Fleet.identical(Hardware("ample", SERVICE_MODELS["affine"], 10**6, 40))
    plain = simulate(workload, ample, alpha_protection()).completion_s
    assert all((simulate(workload, ample, alpha_clearing(), seed=s).completion_s == plain).all() for s in range(3))
    workload, edge = edge_of_memory(1)
    assert (
        len(
            {
                simulate(workload, Fleet.identical(edge), alpha_clearing(0.1), seed=s).completion_s.sum()
                for s in range(8)
            }
        )
        > 1
    )


def test_drawing_everybody_is_clearing_all():
    """Claim: with phi = 1 both clear the same."""
    for seed in range(8):
        workload, edge = edge_of_memory(seed)
        left, right = (
            simulate(workload, Fleet.identical(edge), p) for p in (alpha_protection(0.1), alpha_clearing(0.1, 1.0))
        )
        np.testing.assert_array_equal(left.completion_s, right.completion_s)


def test_the_draw_is_that_of_repeated_rounds_and_takes_no_longer_when_they_are_rare():
    """Claim: of three requests, phi = 0.3, each set of them is drawn as often as by rounds that are repeated until
    somebody is drawn (5 standard errors of 40,000 draws); with phi = 1e-12 each of them alone, a third of the time."""
    draws, rng = 40_000, np.random.default_rng(0)
    found = Counter(tuple(ClearEach(0.3).draw(3, rng)) for _ in range(draws))
    sets = [chosen for k in (1, 2, 3) for chosen in combinations(range(3), k)]
    assert set(found) == set(sets)
    for chosen in sets:
        share = 0.3 ** len(chosen) * 0.7 ** (3 - len(chosen)) / (1 - 0.7**3)
        assert abs(found[chosen] / draws - share) < 5 * np.sqrt(share * (1 - share) / draws)
    rare = Counter(tuple(ClearEach(1e-12).draw(3, rng)) for _ in range(draws))
    assert set(rare) == {(0,), (1,), (2,)}
    assert max(abs(count / draws - 1 / 3) for count in rare.values()) < 5 * np.sqrt(2 / 9 / draws)
    assert ClearEach(1.0).draw(3, rng) == [0, 1, 2]


@pytest.mark.parametrize("phi", [1e-12, 1e-300])
def test_rare_draws_end(phi):
    """Claim: a run whose memory overflows all the time ends, however rarely a round draws somebody."""
    workload, edge = edge_of_memory(2)
    run = simulate(workload, Fleet.identical(edge), alpha_clearing(0.1, phi), check=True)
    assert run.preemptions.sum() > 0


@pytest.mark.parametrize("clearing", [*CLEARINGS])
def test_total_latency_is_at_least_the_bounds(clearing):
    """Claim: in unit rounds, clearing included, TEL is at least the hindsight bounds."""
    for seed in range(15):
        instance = small_instance(seed, True)
        assert served(instance, CLEARINGS[clearing](0.1)).latency_s.sum() >= simple_bound(instance)
