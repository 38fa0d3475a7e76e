"""Every registered batcher in fleets where requests move, instances die, start and stop, and routers keep requests."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_fleets import assert_plausible, assert_same_fleet, wild_case

from orsched import Fleet, Group, Hardware, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine
from policies import RECIPES, ROUTERS, wait

KEEP_THEIR_REQUESTS = {"multi-bin", "vtc", *(recipe.name for recipe in wait.RECIPES)}
"""Those whose method has no meaning where requests come with their KV cache."""


@pytest.mark.parametrize("name", sorted(RECIPES))
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), transfers=st.booleans())
def test_serves_everybody_or_refuses(name, seed, transfers):
    """Claim: whatever happens to the fleet, everybody who is not rejected completes, within memory, as in a simulation
    token by token; or the policy says at once that it is not made for that."""
    try:
        case = wild_case(seed, name, transfers)
        run = case.run(check=True)
    except InputError:
        return
    assert_plausible(run)
    assert_same_fleet(run, case.run(epoch_limit=1))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_in_a_crowded_prefill_decode_fleet(name):
    """Claim: sixty requests within three seconds, on two prefill and two decode instances with little memory, are all
    served by every batcher but those that keep their requests, which refuse the fleet and say what to do."""
    rng = np.random.default_rng(1)
    work = Workload.of(np.sort(rng.uniform(0, 3, 60)), rng.integers(5, 60, 60), rng.integers(5, 60, 60))
    small = Hardware("small", Affine(0.01, 1e-4, 1e-3, 1e-5), 400, 12, 16, kv_bytes_per_token=1000.0)
    calm = Workload.of(1000 * work.arrival_s, work.input_tokens, work.output_tokens)
    policy = RECIPES[name].build(calm, Fleet.identical(small)).routed_by(ROUTERS["jsq"])
    fleet = Fleet((Group(small, 2, "prefill"), Group(small, 2, "decode")))
    assert policy.takes_transfers == (name not in KEEP_THEIR_REQUESTS)
    if policy.takes_transfers:
        run = simulate(work, fleet, policy, check=True)
        assert_plausible(run)
        assert_same_fleet(run, simulate(work, fleet, policy, epoch_limit=1))
    else:
        with pytest.raises(InputError, match=r"role 'mixed'.*another batcher"):
            simulate(work, fleet, policy)
