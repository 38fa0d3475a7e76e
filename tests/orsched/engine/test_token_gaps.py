"""The distribution of the gaps between output tokens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import build, policy_names, random_workload, seeds, services, small_variants, tight_hardware

from orsched import Fleet, Hardware, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine
from orsched.token_gaps import TokenGaps
from policies import ROUTERS
from policies.vllm_v0 import vllm_v0


def spread(gaps):
    """Every gap, one by one."""
    rows = zip(gaps.first_s, gaps.step_s, gaps.count, gaps.weight, strict=True)
    parts = [np.repeat(f + s * np.arange(int(c)), int(w)) for f, s, c, w in rows]
    return np.sort(np.concatenate([np.zeros(0), *parts]))


@settings(max_examples=60)
@given(policy_names, services, seeds, st.integers(1, 2))
def test_gaps_add_up_to_the_requests_and_do_not_depend_on_the_epochs(name, service, seed, size):
    """Claim: there is one gap per output token after the first, together they are all requests' time from first token
    to completion, and forcing epochs of length one gives the same gaps."""
    workload = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(service, seed, 16), size)
    policy = build(name, workload, fleet)
    if policy is None:
        return
    policy = policy.routed_by(ROUTERS["jsq"])
    run = simulate(workload, fleet, policy, token_gaps=True)
    assert run.token_gaps.tokens == (workload.output_tokens - 1).sum()
    assert run.token_gaps.total_s == pytest.approx((run.completion_s - run.first_token_s).sum(), rel=1e-9)
    single = simulate(workload, fleet, policy, token_gaps=True, epoch_limit=1)
    np.testing.assert_allclose(spread(run.token_gaps), spread(single.token_gaps), rtol=1e-7, atol=1e-10)


@settings(max_examples=30)
@given(st.sampled_from(small_variants()), seeds, st.floats(0.001, 1))
def test_quantiles_are_those_of_the_spread_out_gaps(policy, seed, share):
    """Claim: the bisection returns numpy's inverted_cdf quantile of the individual gaps, preemptions included."""
    workload = random_workload(seed)
    gaps = simulate(
        workload, Fleet.identical(tight_hardware(Affine(0.01, 1e-4, 1e-5, 1e-7), seed, 16)), policy, token_gaps=True
    )
    every = spread(gaps.token_gaps)
    expected = np.quantile(every, share, method="inverted_cdf")
    assert gaps.token_gaps.quantile_s(share) == pytest.approx(expected, rel=1e-6)


def test_a_stall_behind_a_prefill_is_a_long_gap():
    """Claim: unit iterations, vLLM v0; the request decoding while another is prefilled has one gap of two."""
    unit = Hardware("unit", Affine(1.0, 0.0, 0.0, 0.0), 1000)
    run = simulate(Workload.of([0.0, 2.5], [10, 10], [6, 1]), Fleet.identical(unit), vllm_v0(), token_gaps=True)
    assert spread(run.token_gaps).tolist() == pytest.approx([1, 1, 1, 1, 2])


def test_no_gap_no_quantile():
    """Claim: without gaps there is no quantile, and no number."""
    none = np.zeros(0)
    with pytest.raises(InputError, match="at least one gap"):
        TokenGaps(none, none, none, none).quantile_s(0.5)
