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

from orsched import Fleet, Policy, Run, Workload, simulate
from policies import ROUTERS

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
