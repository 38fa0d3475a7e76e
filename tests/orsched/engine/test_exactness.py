"""The exactness law: epochs are a faster way to compute the token-by-token simulation, not another model."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from instances import (
    SERVICE_MODELS,
    build,
    edge_of_memory,
    policy_names,
    random_workload,
    router_names,
    seeds,
    services,
    small_variants,
    tight_hardware,
)
from laws import assert_exact, assert_same

from orsched import Fleet, Hardware, Information, Policy, Workload, simulate
from orsched.service import Affine, PiecewiseLinear
from policies import ROUTERS
from policies.parts.bins import LengthBins
from policies.vllm_v0 import vllm_v0
from policies.wait import KeepDecoding, Waiting


@settings(max_examples=120)
@given(policy_names, services, seeds, st.sampled_from([1, 16]))
def test_epochs_equal_single_iterations_on_one_instance(name, service, seed, block):
    """Claim: every registered policy gives the same run to 1e-9 with epochs of length one, under memory pressure."""
    workload = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    policy = build(name, workload, fleet)
    assume(policy is not None)
    assert_exact(workload, fleet, policy)


@settings(max_examples=60)
@given(policy_names, router_names, seeds, st.integers(2, 4))
def test_epochs_equal_single_iterations_on_fleets(name, router, seed, size):
    """Claim: the law holds for fleets behind every router, whose decisions read the instances mid-epoch."""
    workload = random_workload(seed, n=80)
    fleet = Fleet.identical(tight_hardware(SERVICE_MODELS["affine"], seed, 16), size)
    policy = build(name, workload, fleet)
    assume(policy is not None)
    assert_exact(workload, fleet, policy.routed_by(ROUTERS[router]))


@settings(max_examples=60)
@given(st.sampled_from(small_variants()), services, seeds, st.sampled_from([1, 16]))
def test_epochs_equal_single_iterations_when_chunking_and_preempting(policy, service, seed, block):
    """Claim: the law survives constant chunking, seat limits and preemption."""
    assert_exact(random_workload(seed), Fleet.identical(tight_hardware(service, seed, block)), policy)


@pytest.mark.parametrize("limit", [2, 7])
def test_any_epoch_limit_gives_the_same_run(limit):
    """Claim: where epochs are cut is immaterial, not only cutting everywhere."""
    workload = random_workload(5)
    fleet = Fleet.identical(tight_hardware(SERVICE_MODELS["hinged"], 5, 16))
    policy = small_variants()[0]
    assert_same(simulate(workload, fleet, policy), simulate(workload, fleet, policy, epoch_limit=limit))


@settings(max_examples=150)
@given(
    st.sampled_from([Waiting, KeepDecoding]),
    st.lists(st.integers(1, 4), min_size=2, max_size=2),
    st.integers(1, 9),
    seeds,
    st.sampled_from([1, 7, 16]),
    st.integers(1, 2),
)
def test_epochs_equal_single_iterations_for_wait_at_the_edge_of_memory(batcher, thresholds, stage, seed, block, size):
    """Claim: the law holds for WAIT with any thresholds and stage length where memory is just the longest request,
    so that classes evict each other and newcomers wait; nobody is lost."""
    workload, edge = edge_of_memory(seed, block, 30)
    policy = Policy(
        "wait",
        batcher(tuple(thresholds), stage),
        information=Information.CLASS,
        num_classes=2,
        classify=LengthBins((), (10,)),
        route=ROUTERS["jsq"],
    )
    assert_exact(workload, Fleet.identical(edge, size), policy)


@pytest.mark.parametrize(
    ("base", "begin"), [(0.1, 0.0), (0.05, 0.0), (0.01, 0.0), (0.125, 0.0), (0.1, 1e6), (0.01, 1e6)]
)
@settings(max_examples=40)
@given(policy_names, router_names, seeds, st.integers(1, 3))
def test_arrivals_on_iteration_boundaries_do_not_break_the_law(base, begin, name, router, seed, size):
    """Claim: when arrivals fall exactly on iteration ends (constant iterations, arrivals at multiples), rounding does
    not decide who is seen first, nor what a router sees of an instance, also late on the clock."""
    rng = np.random.default_rng(seed)
    ticks = np.sort(rng.integers(0, 80, 12))
    assume(ticks[0] < ticks[-1])
    workload = Workload.of(begin + np.round(ticks * base, 10), rng.integers(1, 9, 12), rng.integers(1, 30, 12))
    fleet = Fleet.identical(Hardware("steady", Affine(base, 0, 0, 0), 2000, 8), size)
    policy = build(name, workload, fleet)
    assume(policy is not None)
    assert_exact(workload, fleet, policy.routed_by(ROUTERS[router]))


@settings(max_examples=200)
@given(st.sampled_from([0.1, 0.05, 0.01]), seeds, st.integers(2, 3))
def test_what_routers_see_on_iteration_boundaries_does_not_depend_on_the_epochs(base, seed, size):
    """Claim: the same for the KV tokens that a router reads, which change in mid-epoch."""
    rng = np.random.default_rng(seed)
    ticks = np.sort(rng.integers(0, 80, 12))
    workload = Workload.of(np.round(ticks * base, 10), rng.integers(1, 9, 12), rng.integers(1, 30, 12))
    fleet = Fleet.identical(Hardware("steady", Affine(base, 0, 0, 0), 2000, 8), size)
    assert_exact(workload, fleet, vllm_v0().routed_by(ROUTERS["least-kv"]))


@pytest.mark.parametrize("limit", [None, 1, 3])
def test_an_iteration_that_ends_with_an_arrival_comes_after_it(limit):
    """Claim: by hand, 0.1 s an iteration, two instances. The first request (prompt 1) starts at 0.2 s and has 2 tokens
    cached by the iterations that end before 0.5 s, when the second comes: not the one that ends at 0.5 s. At 0.9 s the
    first has 6, and the second (prompt 3), whose last iteration ends then, 5; so the third joins the second."""
    seen = []

    def noting(view, request, /):
        seen.append([view.kv_tokens(i) for i in range(view.size)])
        return ROUTERS["least-kv"](view, request)

    fleet = Fleet.identical(Hardware("steady", Affine(0.1, 0, 0, 0), 2000, 8), 2)
    workload = Workload.of([0.2, 0.5, 0.9], [1, 3, 1], [8, 4, 2])
    run = simulate(workload, fleet, vllm_v0().routed_by(noting), epoch_limit=limit)
    assert seen == [[0, 0], [2, 0], [6, 5]]
    assert run.instance.tolist() == [0, 1, 1]


class Kinked(Affine):
    """An affine model whose decode time bends upwards twice in the KV tokens."""

    __slots__ = ()

    def iteration_s(self, batch):
        kv = batch.kv_tokens
        bends = 2e-5 * max(0.0, kv - 150) + 1e-4 * max(0.0, kv - 400)
        return Affine.iteration_s(self, batch) + bends

    def decode_curve(self, num_seqs):
        slopes = [self.kv_token_s, self.kv_token_s + 2e-5, self.kv_token_s + 1.2e-4]
        first = self.base_s + self.sequence_s * num_seqs
        return PiecewiseLinear([first, first - 2e-5 * 150, first - 2e-5 * 150 - 1e-4 * 400], slopes, [150, 400])


@settings(max_examples=60)
@given(policy_names, seeds, st.sampled_from([1, 16]))
def test_epochs_equal_single_iterations_on_a_kinked_model(name, seed, block):
    """Claim: the closed form is exact across the kinks of a piecewise-linear decode curve."""
    workload = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(Kinked(0.012, 6e-5, 5e-5, 1e-6), seed, block))
    policy = build(name, workload, fleet)
    assume(policy is not None)
    assert_exact(workload, fleet, policy)
