"""The projection of KV memory: kept up to date or built anew, it says the same, and what it says is true."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import AFFINE, random_workload, seeds, services, tight_hardware

from orsched import Fleet, simulate
from policies.a_min import a_min
from policies.mc_benchmark import mc_benchmark
from policies.mc_sf import mc_sf
from policies.parts.kv_projection import KVProjection
from policies.predictors import Interval, Noise

POLICIES = {
    "truth": mc_sf(),
    "by arrival": mc_benchmark(),
    "too short": a_min(Interval(0.3)),
    "wrong": mc_sf().predicted_by(Noise(1.0)),
}


def held(view, ahead):
    """Blocks of the residents after so many iterations, one by one; `view.output_tokens` says when each ends."""
    cached = ((r, view.cached_tokens(r) + ahead) for r in view.running)
    return sum(
        view.blocks_for(tokens) for r, tokens in cached if tokens <= view.input_tokens(r) + view.output_tokens(r) - 1
    )


def fits(view, prompt, iterations):
    return all(
        held(view, t) + view.blocks_for(prompt - 1 + t) <= view.capacity_blocks for t in range(1, iterations + 1)
    )


@pytest.mark.parametrize("name", sorted(POLICIES))
@settings(max_examples=25)
@given(seeds, services, st.sampled_from([1, 3, 16]))
def test_kept_or_anew_it_agrees_with_counting(name, seed, service, block):
    """Claim: at every decision a random request fits by the kept projection and the next iteration's growth exactly
    when it fits by a new projection, and exactly when it does block by block in every iteration."""
    policy, rng, answers = POLICIES[name], np.random.default_rng(seed), set()

    def batch(view):
        if view.running and view.growth_blocks() <= view.free_blocks:
            prompt, iterations = int(rng.integers(1, 400)), int(rng.integers(1, 90))
            expected = fits(view, prompt, iterations)
            assert KVProjection(view).fits(prompt, iterations) == expected
            room = view.free_blocks - view.growth_blocks() - view.blocks_for(prompt)
            assert (KVProjection.of(view).fits(prompt, iterations) and room >= 0) == expected
            answers.add(expected)
        return policy.batch(view)

    fleet = Fleet.identical(tight_hardware(service, seed, block))
    simulate(random_workload(seed, n=30), fleet, replace(policy, batch=batch), check=True)
    assert answers


@settings(max_examples=25)
@given(seeds, st.sampled_from([1, 3, 16]))
def test_the_earliest_start_is_the_first_that_fits(seed, block):
    """Claim: a request that does not fit now fits after `earliest` iterations if nobody starts or leaves, and not
    before."""
    policy, rng = mc_sf(), np.random.default_rng(seed)

    def batch(view):
        prompt, iterations = int(rng.integers(1, 400)), int(rng.integers(1, 90))
        future = KVProjection(view)
        if view.running and not future.fits(prompt, iterations):
            first_end = min(view.output_tokens(r) - view.emitted_tokens(r) for r in view.running)

            def fits_after(delay):
                later = range(1, iterations + 1)
                return all(
                    held(view, delay + t) + view.blocks_for(prompt - 1 + t) <= view.capacity_blocks for t in later
                )

            expected = next((d for d in range(1, first_end) if fits_after(d)), first_end)
            assert future.earliest(prompt, iterations) == expected
        return policy.batch(view)

    fleet = Fleet.identical(tight_hardware(AFFINE, seed, block))
    simulate(random_workload(seed, n=30), fleet, replace(policy, batch=batch))
