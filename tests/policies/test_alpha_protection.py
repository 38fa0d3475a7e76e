"""alpha-protection and alpha-clearing: the free share, the clearing, the random draws, the end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import SERVICE_MODELS, random_workload, seeds, services, tight_hardware
from round_rules import served, small_instance

from fluid.hindsight import simple_bound
from orsched import Fleet, Hardware, Policy, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine
from policies.alpha_protection import AlphaProtection, ClearEach, alpha_clearing, alpha_protection

ROUND = Affine(1.0, 0.0, 0.0, 0.0)
CLEARINGS = {"all": alpha_protection, "each": alpha_clearing}


def watched(policy, seen):
    def batch(view):
        plan = policy.batch(view)
        seen(view, plan)
        return plan

    return Policy("watched", batch)


def edge(seed, alpha=0.1, block=1):
    """A workload and a memory of just its longest request, so that memory overflows all the time."""
    rng = np.random.default_rng(seed)
    workload = Workload.of(np.cumsum(rng.exponential(0.3, 14)), rng.integers(1, 15, 14), rng.integers(1, 25, 14))
    longest = int((workload.input_tokens + workload.output_tokens).max() - 1)
    return workload, Fleet(Hardware("edge", SERVICE_MODELS["affine"], -(-longest // block) * block, 8, block))


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

    fleet = Fleet(tight_hardware(service, seed, block))
    simulate(random_workload(seed), fleet, watched(CLEARINGS[clearing](alpha), seen), check=True)


def test_clears_everybody_on_overflow():
    """Claim: by hand. Memory 10, 3 kept free; two prompts of 3 with 6 outputs start at 0 and hold 5 each at 3 s, having
    emitted 3. The next iteration does not fit: both are cleared, the first recomputes 6 tokens and ends at 6 s, the
    second, whose 6 do not fit beside, at 9 s."""
    workload = Workload.of([0.0, 0.0], [3, 3], [6, 6])
    run = simulate(workload, Fleet(Hardware("hand", ROUND, 10, 8)), alpha_protection(0.3), check=True)
    assert run.completion_s.tolist() == [6.0, 9.0]
    assert run.preemptions.tolist() == [1, 1]


@pytest.mark.parametrize("clearing", [*CLEARINGS])
@settings(max_examples=60)
@given(seed=seeds, alpha=st.sampled_from([0.0, 0.1, 0.3]), block=st.sampled_from([1, 7, 16]))
def test_ends_where_memory_overflows_all_the_time(clearing, seed, alpha, block):
    """Claim: everybody is served, in at most as many iterations as there are output tokens, and epochs of length one
    give the same run: draws are made on overflow only, however often the policy is asked."""
    workload, fleet = edge(seed, alpha, block)
    policy = CLEARINGS[clearing](alpha)
    run = simulate(workload, fleet, policy, seed=3, check=True)
    assert np.isfinite(run.completion_s).all()
    assert run.iterations.sum() <= workload.output_tokens.sum()
    single = simulate(workload, fleet, policy, seed=3, epoch_limit=1)
    np.testing.assert_allclose(run.completion_s, single.completion_s, rtol=1e-9)
    np.testing.assert_array_equal(run.preemptions, single.preemptions)


def test_seeds_matter_on_overflow_only():
    """Claim: with ample memory every seed gives the run of alpha-protection; at the edge seeds differ."""
    workload = random_workload(4)
    ample = Fleet(Hardware("ample", SERVICE_MODELS["affine"], 10**6, 40))
    plain = simulate(workload, ample, alpha_protection()).completion_s
    assert all((simulate(workload, ample, alpha_clearing(), seed=s).completion_s == plain).all() for s in range(3))
    workload, fleet = edge(1)
    assert len({simulate(workload, fleet, alpha_clearing(0.1), seed=s).completion_s.sum() for s in range(8)}) > 1


def test_drawing_everybody_is_clearing_all():
    """Claim: with phi = 1 both clear the same."""
    for seed in range(8):
        workload, fleet = edge(seed)
        left, right = (simulate(workload, fleet, p) for p in (alpha_protection(0.1), alpha_clearing(0.1, 1.0)))
        np.testing.assert_array_equal(left.completion_s, right.completion_s)


@pytest.mark.parametrize("clearing", [*CLEARINGS])
def test_total_latency_is_at_least_the_bounds(clearing):
    """Claim: in unit rounds, clearing included, TEL is at least the hindsight bounds."""
    for seed in range(15):
        instance = small_instance(seed, True)
        assert served(instance, CLEARINGS[clearing](0.1)).latency_s.sum() >= simple_bound(instance)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: alpha_protection(1.0), r"alpha = 1\.0"),
        (lambda: alpha_protection(-0.1), r"alpha = -0\.1"),
        (lambda: AlphaProtection(0.1, max_num_seqs=0), "max_num_seqs = 0"),
        (lambda: ClearEach(0.0), r"phi = 0\.0"),
        (lambda: alpha_clearing(phi=1.5), r"phi = 1\.5"),
    ],
)
def test_impossible_parameters_are_refused(make, message):
    """Claim: the message names the parameter."""
    with pytest.raises(InputError, match=message):
        make()
