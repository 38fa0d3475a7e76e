"""What every router keeps, on random fleets with roles, tiers, caches, faults and objectives."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import assert_same
from routed_fleets import routed_case

from orsched import Information
from policies import ROUTERS, get_predictor
from policies.routers import ClassPartition, LeastWork, MooncakeConductor, SLOAdmission, reject

VARIANTS = {
    **ROUTERS,
    "conductor with objectives": MooncakeConductor(threshold=2, chunk_tokens=16),
    "admission that rejects": SLOAdmission(refused=reject, mean_output_tokens=20, chunk_tokens=16),
    "lmetric by class": ClassPartition(ROUTERS["lmetric"]),
    "preble by class": ClassPartition(ROUTERS["preble"]),
    "round robin by class": ClassPartition(ROUTERS["round-robin"]),
}
seeds = st.integers(0, 10**6)


@pytest.mark.parametrize("name", sorted(VARIANTS))
@settings(max_examples=12, deadline=None)
@given(seed=seeds)
def test_epochs_equal_single_iterations(name, seed):
    """Claim: what a router sees, and so what it decides, does not depend on how long the engine's epochs are."""
    case = routed_case(seed, VARIANTS[name])
    one, other = case.run(), case.run(epoch_limit=1)
    assert_same(one, other)
    np.testing.assert_array_equal(one.rejected, other.rejected)


@pytest.mark.parametrize("name", sorted(VARIANTS))
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_everybody_is_served_once_or_rejected(name, seed):
    """Claim: no router sends anybody to an instance that is off, dead or decodes only (the engine refuses that), nobody
    is lost, the instance that is off gets nobody, and a seed always gives the same run."""
    case = routed_case(seed, VARIANTS[name])
    run = case.run(check=True)
    assert np.array_equal(np.isfinite(run.completion_s), run.rejected == 0)
    assert (run.instance[run.rejected == 0] != case.fleet.size - 1).all()
    again = case.run()
    assert run.completion_s.tobytes() == again.completion_s.tobytes()
    assert run.instance.tobytes() == again.instance.tobytes()


@pytest.mark.parametrize("predicted", [False, True])
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_least_work_with_lengths_is_exact(predicted, seed):
    """Claim: the same for known and for predicted lengths."""
    case = routed_case(seed, LeastWork())
    policy = replace(case.policy, information=Information.ORACLE)
    if predicted:
        policy = policy.predicted_by(get_predictor("noise:0.5"))
    case = replace(case, policy=policy)
    assert_same(case.run(check=True), case.run(epoch_limit=1))
