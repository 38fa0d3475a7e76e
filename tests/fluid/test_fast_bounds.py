"""The bounds that cost little: which of all they are."""

import numpy as np
import pytest

import fluid
from orsched import SLO, Fleet, Workload, hardware
from orsched.bound import best_bound
from orsched.errors import InputError
from orsched.workloads.catalogue import workload_source


@pytest.mark.parametrize("slo", [None, SLO(1.0, 0.05)])
@pytest.mark.parametrize("workload", ["reference", "azure-conv"])
def test_fast_bounds_are_some_of_all(workload, slo):
    """Claim: each fast bound is one of all bounds, value, validity and certificate included; only two are left out."""
    fleet = Fleet.single(hardware("llama2-7b/a100-80g"))
    path = workload_source(workload).draw(400, np.random.default_rng(0)).at_load(0.9, fleet)
    everything, fast = fluid.bounds(path, fleet, slo), fluid.fast_bounds(path, fleet, slo)
    assert [bound for bound in everything if bound in fast] == list(fast)
    assert {bound.name for bound in everything} - {bound.name for bound in fast} <= {"congestion-lp", "deadline"}
    for metric in {bound.metric for bound in everything}:
        assert best_bound(fast, metric) is not None


def test_fast_bounds_refuse_what_no_policy_completes():
    """Claim: a request that no instance can hold is refused, as by all bounds."""
    fleet = Fleet.single(hardware("reference"))
    with pytest.raises(InputError, match="no policy completes it"):
        fluid.fast_bounds(Workload.of([0.0], [10**6], [2]), fleet)
