"""Laws of every variant: exact epochs, determinism, conservation, memory, and what promotion may do."""

from dataclasses import replace

import numpy as np
import pytest
from laws import assert_same
from polyserve_rules import DIALECTS, Naive, disaggregated_case, random_case

from orsched import simulate
from orsched.engine.actions import Routing
from orsched.faults import InstanceFault
from policies.polyserve.fixed import FixedFleetSettings, polyserve_fixed


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("make", [random_case, disaggregated_case])
def test_epochs_are_exact_and_nothing_is_lost(dialect, make):
    """Claim: token by token the run is the same; all complete, when instances break too; same seed, same run."""
    for seed in (3, 4):
        rng = np.random.default_rng([seed, len(dialect)])
        work, fleet, _, policy = make(rng, **DIALECTS[dialect])
        faults = [InstanceFault(float(rng.uniform(0, 1)), int(rng.integers(fleet.size)), 0.3)] if seed == 3 else []
        run = simulate(work, fleet, policy, seed, check=True, faults=faults)
        assert np.isfinite(run.completion_s).all()
        assert not run.rejected.any()
        assert_same(run, simulate(work, fleet, policy, seed, epoch_limit=1, faults=faults))
        again = simulate(work, fleet, policy, seed, faults=faults)
        assert np.array_equal(run.completion_s, again.completion_s)


@pytest.mark.parametrize("changes", [{}, {"k_max": "cheap"}, {"chunk_tokens": 16}, {"prefill_term": False}])
def test_fixed_variant_is_exact(changes):
    """Claim: the variant for a fixed fleet obeys the same laws."""
    work, fleet, _, _ = random_case(np.random.default_rng(5))
    fleet = replace(fleet, groups=tuple(replace(group, off=0) for group in fleet.groups))
    policy = polyserve_fixed(work, fleet, FixedFleetSettings(least_chunk_tokens=4, **changes))
    run = simulate(work, fleet, policy, check=True)
    assert np.isfinite(run.completion_s).all()
    assert_same(run, simulate(work, fleet, policy, epoch_limit=1))


def test_lazy_promotion_waits_for_the_own_tier():
    """Claim: a request goes to a tighter tier only when brute force says that every server of its own refuses."""
    promoted = 0
    for seed in range(8):
        work, fleet, settings, policy = random_case(np.random.default_rng([seed, 1]))

        def route(view, request, work=work, settings=settings, policy=policy):
            nonlocal promoted
            answer = policy.route(view, request)
            if not isinstance(answer, Routing):
                naive = Naive(work, settings, view.memo["polyserve"].lengths)
                own = naive.tier_of_class(view.label(request))
                if naive.tier_of_server(view, answer) != own:
                    promoted += 1
                    assert naive.tier_of_server(view, answer) < own
                    mine = [i for i in range(view.size) if naive.tier_of_server(view, i) == own]
                    assert not any(naive.admits(view, i, own, own, request) for i in mine)
            return answer

        simulate(work, fleet, replace(policy, route=route), seed)
    assert promoted > 20
