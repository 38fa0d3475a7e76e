"""Prompts before decodes, in whole or in chunks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_same
from random_fleets import random_case

from orsched import Fleet, Hardware, Policy, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine
from policies.parts.prefill_first import PromptsFirst, chunked, whole

GPU = Hardware("small", Affine(0.01, 1e-4, 1e-3, 0.0), 10_000, 16, 1)


def plans_of(batch, work):
    """The plans with prompts, each as tokens by request."""
    plans = []

    def record(view):
        plan = batch(view)
        if plan.prefill:
            plans.append({chunk.request: chunk.tokens for chunk in plan.prefill})
        return plan

    simulate(work, Fleet.single(GPU), Policy("recorded", record), check=True)
    return plans


def test_chunks_fill_the_limit_and_whole_prompts_stop_at_it():
    """Claim: prompts of 150, 80 and 30 tokens under a limit of 100."""
    work = Workload.of([0.0] * 3, [150, 80, 30], [5] * 3)
    assert plans_of(PromptsFirst(100, 16, 0, chunked), work) == [{0: 100}, {0: 50, 1: 50}, {1: 30, 2: 30}]
    assert plans_of(PromptsFirst(100, 16, 0), work) == [{0: 150}, {1: 80}, {2: 30}]
    assert plans_of(PromptsFirst(110, 16, 0), work) == [{0: 150}, {1: 80, 2: 30}]


def test_seats_bind_admission():
    """Claim: with two seats the third prompt waits until one of the others has ended."""
    work = Workload.of([0.0] * 3, [10, 10, 10], [5, 50, 5])
    assert plans_of(PromptsFirst(1000, 2, 0), work) == [{0: 10, 1: 10}, {2: 10}]


@given(st.integers(0, 10_000), st.sampled_from([whole, chunked]), st.integers(5, 200), st.integers(0, 4))
def test_exact_on_random_fleets(seed, cut, tokens, pauses):
    """Claim: with roles, migrations and faults everybody completes, as with epochs of length one."""
    case = random_case(seed)
    case = replace(case, policy=replace(case.policy, batch=PromptsFirst(tokens, 8, pauses, cut)))
    run = case.run(check=True)
    assert np.isfinite(run.completion_s).all()
    assert_same(run, case.run(epoch_limit=1))


@pytest.mark.parametrize("settings", [(0, 1, 0), (1, 0, 0), (1, 1, -1), (1, 1, 0, "whole")])
def test_bad_limits_are_refused(settings):
    """Claim: the part checks itself."""
    with pytest.raises(InputError, match="PromptsFirst"):
        PromptsFirst(*settings)
