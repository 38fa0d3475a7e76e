"""Nested WAIT's algorithm by hand, and what it keeps at every decision."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import SERVICE_MODELS, edge_of_memory, seeds, services
from laws import assert_exact
from nested_rules import nested_wait

from orsched import Fleet, Hardware, Policy, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine
from policies import ROUTERS
from policies.wait import Nesting, Waiting
from policies.wait.drift import OverflowRisk
from policies.wait.segments import NestedSegments

ROOMY = Hardware("roomy", Affine(1.0, 0, 0, 0), 100_000, 1_000)
"""An iteration takes one second, and memory never binds."""
ROOMY_FAST = Hardware("roomy-fast", Affine(0.02, 0, 0, 0), 10_000_000, 10_000)


def two_types(rate, n):
    """Poisson arrivals of prompts of 512 tokens; 20 or, 3 in 10, 50 decode steps and a token more."""
    rng = np.random.default_rng(0)
    outputs = np.where(rng.random(n) < 0.3, 50, 20) + 1
    return Workload.of(np.cumsum(rng.exponential(1 / rate, n)), np.full(n, 512), outputs).at_rate(rate)


def policy_of(batcher, watch=None, **more):
    """A policy that runs `batcher`, its view passed to `watch` before every decision."""

    def watched(view):
        if watch is not None:
            watch(view)
        return batcher(view)

    return Policy("nested", watched, num_cohorts=batcher.cohorts, **more)


def test_prefix_rule_by_hand():
    """Claim: segment 1 is prefill and decode 1, segment 2 decodes 2 and 3, both need two; ten decisions and the
    completions are those of the paper's steps."""
    a, b, c, d, e, f, g, h, i, j = range(10)
    arrivals = [0, 0, 0.5, 1.5, 3.5, 4.5, 6.0, 6.2, 8.0, 8.0, 100, 100]
    outputs = [4, 2, 4, 3, 1, 4, 4, 4, 4, 4, 1, 1]
    batcher = Nesting((1, 3), (2, 2))
    seen = []

    def recording(view):
        plan = batcher(view)
        prefill = [chunk.request for chunk in plan.prefill]
        seen.append((round(view.now_s, 6), prefill, plan.decode, {m.request: m.cohort for m in plan.moves}))
        return plan

    run = simulate(
        Workload.of(arrivals, [10] * 12, outputs),
        Fleet.identical(ROOMY),
        Policy("traced", recording, num_cohorts=batcher.cohorts),
    )
    idle = ([], (), {})
    boundary = 2
    assert seen[:11] == [
        (0.0, [a, b], (0,), {}),  # nobody is at the boundary, so the prefix is segment 1
        (1.0, *idle),  # one waits, two are needed: those in decode wait too
        (1.5, [c, d], (0,), {}),
        (2.5, *idle),  # b has ended, a has reached the cut
        (3.5, *idle),
        (4.5, [e, f], (0,), {a: boundary}),  # one at the boundary, two are needed
        (5.5, *idle),
        (6.0, *idle),
        (6.2, [g, h], (0, 1), {a: 1, c: 1, d: boundary}),  # three at the boundary: the first two go on
        (7.2, *idle),
        (8.0, [i, j], (0, 1), {d: 1, f: 1}),
    ]
    assert run.completion_s[[b, e, a, c, d]].tolist() == [2.5, 5.5, 9.0, 9.0, 9.0]


def test_last_in_first_out_repair_by_hand():
    """Claim: when a newcomer does not fit, the most recently admitted prompt of the boundary queue is evicted, not an
    older one and not a later one in the interior; it comes first in the queue, with its tokens to process again."""
    batcher = Nesting((1, 9), (1, 3))

    def decisions(capacity):
        seen = []

        def recording(view):
            plan = batcher(view)
            head = [(request, view.prompt_tokens[request]) for request in view.waiting]
            seen.append((view.now_s, head, plan.preempt, [chunk.request for chunk in plan.prefill]))
            return plan

        # At 6 s: 0 and 1 at the boundary with 11 tokens each, 2 in the interior with 10; 3 brings 10, and 2 grows by 1.
        workload = Workload.of([0, 2, 4, 6, 50], [10] * 5, [5] * 5)
        tight = Hardware("tight", Affine(1.0, 0, 0, 0), capacity, 10)
        policy = Policy("traced", recording, num_cohorts=batcher.cohorts)
        return simulate(workload, Fleet.identical(tight), policy, check=True), seen

    run, seen = decisions(42)
    first = next(i for i, (_, _, evicted, _) in enumerate(seen) if evicted)
    assert seen[first] == (6.0, [(3, 10)], (1,), [3])
    assert seen[first + 1][:2] == (7.0, [(1, 12)])
    assert run.preemptions[0] == 0
    assert np.isfinite(run.completion_s).all()
    assert all(time > 6.0 for time, _, evicted, _ in decisions(43)[1] if evicted)


def segment_of(emitted, cuts):
    return next(k for k, cut in enumerate(cuts) if emitted <= cut + 1)


@pytest.mark.parametrize("g", [1, 3])
@pytest.mark.parametrize("thresholds", [(4, 2), (3, 3), (2, 4)])
def test_no_stage_holds_more_than_its_threshold(thresholds, g):
    """Claim (the paper's limit, and ours for longer stages): in every interior stage of segment k at most n_k prompts,
    all of which have emitted as many tokens; the boundary queue holds fewer than n_k between launches where
    n_k >= n_(k-1)."""
    cuts = (20, 50)
    batcher = Nesting(cuts, thresholds, g)
    most = Counter()

    def watch(view):
        crossing = 0
        stages = Counter()
        for k in (0, 1):
            tokens = {view.emitted_tokens(request) for request in view.members(k)}
            assert len({emitted % g for emitted in tokens}) <= 1
            for request in view.members(k):
                emitted = view.emitted_tokens(request)
                if k == 0 and emitted == cuts[0] + 1:
                    crossing += 1
                else:
                    stages[emitted] += 1
        for emitted, count in stages.items():
            assert count <= thresholds[segment_of(emitted, cuts)]
        assert crossing <= thresholds[0]
        most["boundary"] = max(most["boundary"], view.decoding(2))
        most["stage"] = max(most["stage"], *stages.values(), 0)

    run = simulate(two_types(40.0, 1500), Fleet.identical(ROOMY_FAST), policy_of(batcher, watch))
    assert run.preemptions.sum() == 0
    assert most["stage"] == max(thresholds)
    if thresholds[1] >= thresholds[0]:
        assert most["boundary"] == thresholds[1] - 1


@pytest.mark.parametrize(
    ("thresholds", "shares", "prompt", "cuts"),
    [((6, 4), (0.5,), 8, (3, 11)), ((10, 6), (0.5,), 8, (3, 7)), ((4, 3, 2), (0.6, 0.5), 20, (1, 3, 7))],
)
def test_memory_overflows_no_more_often_than_was_asked_for(thresholds, shares, prompt, cuts):
    """Claim: with exactly the memory that is required for delta = 0.1, at 0.95 of the limit of the rate, at most a
    tenth of 30 Poisson paths evict anybody; with memory for the full stages alone each of three paths does."""
    segments = NestedSegments(cuts, thresholds, shares, (float(prompt),) * len(cuts))
    service, n = Affine.wait(0.01, 1e-6), 1000
    rate = 0.95 * thresholds[0] / segments.cycle_s(service)
    batcher = Nesting(cuts, thresholds)

    def evictions(memory, seed):
        rng = np.random.default_rng(seed)
        arrivals = np.cumsum(rng.exponential(1 / rate, n))
        outputs, survive = np.full(n, cuts[0] + 1), np.ones(n, bool)
        for share, cut in zip(shares, cuts[1:], strict=True):
            survive &= rng.random(n) < share
            outputs[survive] = cut + 1
        fleet = Fleet.identical(Hardware("exact", service, math.ceil(memory), 10_000))
        return simulate(Workload.of(arrivals, np.full(n, prompt), outputs), fleet, policy_of(batcher)).preemptions.sum()

    required = segments.required_tokens(OverflowRisk(0.1, n / rate / 0.01))
    assert sum(evictions(required, seed) > 0 for seed in range(30)) <= 3
    assert all(evictions(segments.memory_tokens, seed) > 0 for seed in range(3))


def small_nested_instance(seed):
    """Random cuts and thresholds, and 40 requests of one prompt length in hardly more memory than full stages take."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 4))
    cuts = np.cumsum(rng.integers(1, 5, count)) - int(rng.integers(0, 2))
    thresholds, prompt, n = rng.integers(1, 5, count), int(rng.integers(1, 12)), 40
    arrivals = np.cumsum(rng.exponential(rng.uniform(0.003, 0.03), n)) * (rng.random() < 0.7)
    longest = int(cuts[-1]) + 1
    outputs = np.where(rng.random(n) < 0.7, longest, rng.integers(1, longest + 1, n))
    edges = [0, *(cuts + 1)]
    full = sum(int(n_k) * (prompt + s) for k, n_k in enumerate(thresholds) for s in range(edges[k], edges[k + 1]))
    memory = int(full * rng.uniform(1, 1.2)) + 1
    return arrivals, prompt, outputs, tuple(cuts.tolist()), tuple(thresholds.tolist()), memory


def test_the_run_is_that_of_the_printed_steps():
    """Claim: on at least 300 random instances completions equal those of the paper's steps made one by one, to 1e-9,
    and as many are evicted; there are evictions on at least 40 of them. (Instances where evicting boundary queues makes
    no room, of which the paper says nothing, are left out.)"""
    compared = with_evictions = 0
    for seed in range(400):
        arrivals, prompt, outputs, cuts, thresholds, memory = small_nested_instance(seed)
        expected = nested_wait(arrivals.tolist(), prompt, outputs.tolist(), cuts, thresholds, memory, 0.01, 1e-5)
        if expected is None:
            continue
        workload = Workload.of(arrivals, np.full(len(outputs), prompt), outputs)
        fleet = Fleet.identical(Hardware("small", Affine.wait(0.01, 1e-5), memory, 10_000))
        run = simulate(workload, fleet, policy_of(Nesting(cuts, thresholds)), check=True)
        np.testing.assert_allclose(run.completion_s, expected[0], rtol=1e-9)
        assert run.preemptions.sum() == expected[1]
        compared += 1
        with_evictions += expected[1] > 0
    assert compared >= 300
    assert with_evictions >= 40


@pytest.mark.parametrize("g", [1, 5])
def test_one_segment_is_wait_with_one_class(g):
    """Claim: with L = 1 there is no boundary, and the run is that of WAIT with a single class."""
    workload = two_types(30.0, 600)
    fleet = Fleet.identical(Hardware("room", SERVICE_MODELS["affine"], 10_000_000, 10_000))
    nested = simulate(workload, fleet, policy_of(Nesting((g * 60 - 1,), (3,), g)))
    plain = simulate(workload, fleet, Policy("wait", Waiting((3,), g)))
    np.testing.assert_array_equal(nested.completion_s, plain.completion_s)


random_nesting = st.tuples(
    st.integers(1, 5), st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4)
)


def nesting(drawn):
    g, segments = drawn
    cuts = np.cumsum([stages * g for stages, _ in segments]) - 1
    return Nesting(tuple(cuts.tolist()), tuple(n for _, n in segments), g)


@settings(max_examples=150)
@given(random_nesting, services, seeds, st.sampled_from([1, 7, 16]), st.integers(1, 2))
def test_epochs_equal_single_iterations_at_the_edge_of_memory(drawn, service, seed, block, size):
    """Claim: the exactness law holds for any cuts, thresholds and stage length, where segments evict each other, and
    nobody is lost."""
    workload, edge = edge_of_memory(seed, block, 60, service, seats=1 + seed % 8)
    assert_exact(workload, Fleet.identical(edge, size), policy_of(nesting(drawn), route=ROUTERS["jsq"]))


@settings(max_examples=40)
@given(random_nesting, seeds, st.booleans())
def test_every_prompt_runs_as_many_iterations_as_it_has_tokens(drawn, seed, tight):
    """Claim: a prompt of o output tokens takes part in o iterations, boundary hops included and evictions or not:
    crossing a cut is not an iteration of its own."""
    workload, edge = edge_of_memory(seed, most_extra=60, seats=1 + seed % 8)
    batcher = nesting(drawn)
    ran = Counter()

    def counting(view):
        plan = batcher(view)
        cohort = {r: c for c in range(batcher.cohorts) for r in view.members(c)}
        cohort.update((move.request, move.cohort) for move in plan.moves)
        assert not set(plan.preempt) & {move.request for move in plan.moves}
        ran.update(chunk.request for chunk in plan.prefill)
        ran.update(r for r, c in cohort.items() if c in plan.decode and r not in plan.preempt)
        return plan

    fleet = Fleet.identical(edge if tight else replace(edge, kv_capacity_tokens=100_000))
    policy = Policy("counting", counting, num_cohorts=batcher.cohorts)
    run = simulate(workload, fleet, policy, epoch_limit=1)
    assert [ran[r] for r in range(len(workload))] == workload.output_tokens.tolist()
    assert tight or run.preemptions.sum() == 0


@pytest.mark.parametrize(
    "arguments", [((3, 2), (1, 1)), ((3,), (1, 1)), ((4,), (1,), 4), ((3, 3), (1, 1)), ((3, 5), (1, 1), 4)]
)
def test_batchers_that_cannot_be_are_refused(arguments):
    """Claim: cuts that do not increase or are no whole stages, and thresholds that do not match, are refused."""
    with pytest.raises(InputError, match="Nesting: cuts"):
        Nesting(*arguments)
