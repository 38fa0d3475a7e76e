"""The clairvoyant heuristic: its memory promise, its order, its chunks."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import AFFINE, HINGED, REFERENCE, random_workload, seeds, services, tight_hardware
from laws import assert_exact

from orsched import Fleet, Hardware, Policy, Workload, hardware, simulate
from orsched.errors import InputError
from orsched.service import Batch, Hinged
from orsched.workloads import workload_source
from policies import RECIPES, build
from policies.parts.prompt_price import PromptPrice
from policies.srpt import srpt

LLAMA = hardware("llama2-7b/a100-80g")


def watched(fleet, workload, seen):
    """The policy on `fleet`; `seen(view, plan)` is called at every decision."""
    policy = srpt(workload, fleet)

    def batch(view):
        plan = policy.batch(view)
        seen(view, plan)
        return plan

    return Policy("watched", batch, information=policy.information, order=policy.order)


@settings(max_examples=60)
@given(seeds, services, st.sampled_from([1, 3, 16]))
def test_never_preempts(seed, service, block):
    """Claim: with tight memory and few seats nothing is preempted and the ledger refuses nothing, though prompts
    are cut into chunks and pause."""
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    workload = random_workload(seed)
    assert simulate(workload, fleet, srpt(workload, fleet), check=True).preemptions.sum() == 0


@settings(max_examples=30)
@given(seeds, st.integers(2, 40), st.sampled_from([1, 16]))
def test_never_preempts_and_loses_nobody_with_many_tiny_chunks(seed, hinge, block):
    """Claim: the same where prompts take many iterations, so that several are half done at once; and epochs of
    length one give the same run."""
    service = Hinged(0.001, 1e-5, 5e-5, 1e-6, hinge, 1e-3, 1e-8, 2e-8, 1e-7)
    workload = random_workload(seed, n=40)
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    assert assert_exact(workload, fleet, srpt(workload, fleet)).preemptions.sum() == 0


def test_prompts_are_whole_where_tokens_have_one_price():
    """Claim: on an affine model every prompt is processed in one iteration, with the decodes."""
    whole = []

    def seen(view, plan):
        whole.extend(chunk.tokens == view.input_tokens(chunk.request) for chunk in plan.prefill)
        assert plan.decode is None

    workload = random_workload(3)
    simulate(workload, Fleet.identical(REFERENCE), watched(Fleet.identical(REFERENCE), workload, seen))
    assert len(whole) == len(workload)
    assert all(whole)


def test_a_shorter_request_interrupts_a_prompt():
    """Claim: a prompt in progress pauses for a request with fewer tokens left, which gets its first token before.

    Thirty residents make prompt tokens beyond the hinge too dear, so that the long prompt takes many iterations.
    """
    arrivals = [0.0] * 30 + [0.1, 0.5]
    workload = Workload.of(arrivals, [10] * 30 + [4000, 60], [400] * 30 + [20, 20])
    run = simulate(workload, Fleet.identical(LLAMA), srpt(workload, Fleet.identical(LLAMA)))
    assert run.first_scheduled_s[30] < run.first_scheduled_s[31]
    assert run.first_token_s[31] < run.first_token_s[30]


def test_chunks_beyond_the_cheap_ones_are_limited():
    """Claim: with decodes below the hinge no iteration with prompts exceeds 1.5 times its tokens, whatever waits."""
    sizes = []

    def seen(view, plan):
        decodes = view.num_running - len(view.prefilling)
        if plan.prefill and decodes < 174:
            sizes.append(decodes + sum(chunk.tokens for chunk in plan.prefill))

    workload = Workload.of([0.0] * 60, [3000] * 60, [10] * 60)
    simulate(workload, Fleet.identical(LLAMA), watched(Fleet.identical(LLAMA), workload, seen))
    assert max(sizes) == 261


@pytest.mark.parametrize(("num_seqs", "expected"), [(0, 174), (60, 114), (173, 1), (180, math.inf)])
def test_cheap_tokens_end_at_the_hinge(num_seqs, expected):
    """Claim: the cheap chunk is what decodes leave below the hinge (174 tokens); above it the price is constant."""
    assert PromptPrice(LLAMA.service, num_seqs, 50_000, 100).cheap_tokens() == expected


def test_an_affine_model_has_one_price():
    """Claim: without a hinge all tokens are cheap."""
    assert PromptPrice(AFFINE, 10, 5000, 20).cheap_tokens() == math.inf


@given(st.integers(0, 60), st.integers(0, 100_000), st.integers(1, 40), st.integers(0, 100), st.integers(1, 2000))
@settings(max_examples=100)
def test_more_tokens_pay_where_they_lower_the_average(num_seqs, kv, pending, others, more):
    """Claim: beyond the hinge, larger chunks pay exactly when they lower ``(n f(x) + m T(0)) / x`` (by enumeration)."""
    price = PromptPrice(HINGED, num_seqs, kv, pending + others)
    cheap = price.cheap_tokens()

    def cost(tokens):
        nothing = HINGED.iteration_s(Batch(0, 0.0, 0, num_seqs, kv))
        extra = HINGED.iteration_s(Batch(tokens, 0.0, 0, num_seqs, kv)) - nothing
        return ((pending + others) * extra + pending * nothing) / tokens

    if cheap < math.inf and not math.isclose(cost(cheap + more), cost(cheap), rel_tol=1e-9):
        assert price.pays(int(cheap), more, cheap, pending) == (cost(cheap + more) < cost(cheap))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "workload"), [("reference", "reference"), ("llama2-7b/a100-80g", "azure-conv")])
def test_beats_the_others_on_mean_latency(name, workload):
    """Claim: on fresh paths of both instances its mean latency is the least of all policies, at moderate and high load
    (within 0.1%, since several coincide where nothing waits)."""
    fleet = Fleet.identical(hardware(name))
    source = workload_source(workload)
    for load in (0.5, 0.8, 0.9):
        path = source.draw(2000, np.random.default_rng(2000)).at_load(load, fleet)
        latency = {}
        for other in RECIPES:
            try:
                policy = build(other, source.whole().at_load(load, fleet), fleet)
            except InputError:
                continue
            latency[other] = simulate(path, fleet, policy).latency_s.mean()
        assert latency["srpt"] <= 1.001 * min(latency.values()), latency


def test_obeys_the_seats_of_the_hardware():
    """Claim: never more running requests than the hardware takes."""
    fleet = Fleet.identical(Hardware("two seats", AFFINE, 5000, 2))
    most = 0

    def seen(view, plan):
        nonlocal most
        most = max(most, view.num_running)

    workload = random_workload(1, n=20)
    simulate(workload, fleet, watched(fleet, workload, seen))
    assert most == 2
