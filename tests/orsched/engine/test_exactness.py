"""The exactness law: epochs are a faster way to compute the token-by-token simulation, not another model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import (
    SERVICE_MODELS,
    build,
    policy_names,
    random_workload,
    router_names,
    seeds,
    services,
    small_variants,
    tight_hardware,
)

from orsched import Fleet, Hardware, Information, Policy, Run, Workload, simulate
from orsched.service import FULL, Affine, PiecewiseLinear
from policies import ROUTERS
from policies.parts.bins import LengthBins
from policies.wait import KeepDecoding, Waiting

TIMES = ("first_scheduled_s", "first_token_s", "completion_s", "busy_s", "batch_s", "kv_token_s")
COUNTS = ("preemptions", "iterations", "instance")


def assert_same(left: Run, right: Run) -> None:
    for column in TIMES:
        np.testing.assert_allclose(getattr(left, column), getattr(right, column), rtol=1e-9, atol=1e-12)
    for column in COUNTS:
        np.testing.assert_array_equal(getattr(left, column), getattr(right, column))


def check_law(workload: Workload, fleet: Fleet, policy: Policy) -> None:
    assert_same(
        simulate(workload, fleet, policy, seed=3, check=True), simulate(workload, fleet, policy, seed=3, epoch_limit=1)
    )


@settings(max_examples=120)
@given(policy_names, services, seeds, st.sampled_from([1, 16]))
def test_epochs_equal_single_iterations_on_one_instance(name, service, seed, block):
    """Claim: every registered policy gives the same run to 1e-9 with epochs of length one, under memory pressure."""
    workload = random_workload(seed)
    fleet = Fleet(tight_hardware(service, seed, block))
    policy = build(name, workload, fleet)
    if policy is not None:
        check_law(workload, fleet, policy)


@settings(max_examples=60)
@given(policy_names, router_names, seeds, st.integers(2, 4))
def test_epochs_equal_single_iterations_on_fleets(name, router, seed, size):
    """Claim: the law holds for fleets behind every router, whose decisions read the instances mid-epoch."""
    workload = random_workload(seed, n=80)
    fleet = Fleet(tight_hardware(SERVICE_MODELS["affine"], seed, 16), size)
    policy = build(name, workload, fleet)
    if policy is not None:
        check_law(workload, fleet, policy.routed_by(ROUTERS[router]))


@settings(max_examples=60)
@given(st.sampled_from(small_variants()), services, seeds, st.sampled_from([1, 16]))
def test_epochs_equal_single_iterations_when_chunking_and_preempting(policy, service, seed, block):
    """Claim: the law survives constant chunking, seat limits and preemption."""
    check_law(random_workload(seed), Fleet(tight_hardware(service, seed, block)), policy)


@pytest.mark.parametrize("limit", [2, 7])
def test_any_epoch_limit_gives_the_same_run(limit):
    """Claim: where epochs are cut is immaterial, not only cutting everywhere."""
    workload = random_workload(5)
    fleet = Fleet(tight_hardware(SERVICE_MODELS["hinged"], 5, 16))
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
    rng = np.random.default_rng(seed)
    n = 14
    workload = Workload.of(np.cumsum(rng.exponential(0.3, n)), rng.integers(1, 15, n), rng.integers(1, 25, n))
    capacity = -(-int((workload.input_tokens + workload.output_tokens).max() - 1) // block) * block
    extra = int(rng.integers(0, 30))
    fleet = Fleet(Hardware("edge", SERVICE_MODELS["affine"], capacity + extra, 8, block), size)
    policy = Policy(
        "wait",
        batcher(tuple(thresholds), stage),
        information=Information.CLASS,
        num_classes=2,
        classify=LengthBins((), (10,)),
        route=ROUTERS["jsq"],
    )
    check_law(workload, fleet, policy)


@pytest.mark.parametrize("base", [0.1, 0.05, 0.01, 0.125])
@settings(max_examples=25)
@given(name=policy_names, seed=seeds, size=st.integers(1, 2))
def test_arrivals_on_iteration_boundaries_do_not_break_the_law(base, name, seed, size):
    """Claim: when arrivals fall exactly on iteration ends (constant iterations, arrivals at multiples), rounding does
    not decide who is seen first."""
    rng = np.random.default_rng(seed)
    ticks = np.sort(rng.integers(0, 80, 12))
    workload = Workload.of(np.round(ticks * base, 10), rng.integers(1, 9, 12), rng.integers(1, 30, 12))
    if workload.span_s == 0:
        return
    fleet = Fleet(Hardware("steady", Affine(base, 0, 0, 0), 2000, 8), size)
    policy = build(name, workload, fleet)
    if policy is not None:
        check_law(workload, fleet, policy.routed_by(ROUTERS["jsq"]))


class Kinked(Affine):
    """An affine model whose decode time bends upwards twice in the KV tokens."""

    __slots__ = ()

    def iteration_s(self, batch, point=FULL):
        kv = batch.kv_tokens
        bends = 2e-5 * max(0.0, kv - 150) + 1e-4 * max(0.0, kv - 400)
        return Affine.iteration_s(self, batch, point) + bends

    def decode_curve(self, num_seqs, point=FULL):
        slopes = [self.kv_token_s, self.kv_token_s + 2e-5, self.kv_token_s + 1.2e-4]
        first = self.base_s + self.sequence_s * num_seqs
        return PiecewiseLinear([first, first - 2e-5 * 150, first - 2e-5 * 150 - 1e-4 * 400], slopes, [150, 400])


@settings(max_examples=60)
@given(policy_names, seeds, st.sampled_from([1, 16]))
def test_epochs_equal_single_iterations_on_a_kinked_model(name, seed, block):
    """Claim: the closed form is exact across the kinks of a piecewise-linear decode curve."""
    workload = random_workload(seed)
    fleet = Fleet(tight_hardware(Kinked(0.012, 6e-5, 5e-5, 1e-6), seed, block))
    policy = build(name, workload, fleet)
    if policy is not None:
        check_law(workload, fleet, policy)
