"""The authors' code variants of WAIT and Nested WAIT: when they fire, limits, quotas, and the exactness law."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import edge_of_memory, seeds
from laws import assert_exact

from orsched import Fleet, Hardware, Information, Policy, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine
from policies import ROUTERS
from policies.parts.bins import LengthBins
from policies.wait import AnyClassFires, AuthorsNestedWait, AuthorsWait, GatedSegments, Waiting
from policies.wait.authors_code import ClassLimits
from policies.wait.authors_nested import CappedSegment

SECONDS = Fleet.identical(Hardware("seconds", Affine(1.0, 0.0, 0.0, 0.0), 10_000, 256))


def two_classes(batcher):
    return Policy("two", batcher, information=Information.CLASS, num_classes=2, classify=LengthBins((), (5,)))


def nested(batcher):
    return Policy("nested", batcher, num_cohorts=2)


def test_limits_of_the_code():
    """Claim: lambda = (1, 1), l' + 1 = (11, 21), B = 640: limits 640 * 11/32 = 220 and 420, 20 a stage; with B = 10 the
    stages hold one each; a class whose limit is below one prompt has one."""
    limits = AuthorsWait(640).limits([1.0, 1.0], [11.0, 21.0])
    assert [(limit.per_stage, limit.in_service) for limit in limits] == [(20, 220.0), (20, 420.0)]
    small = AuthorsWait(10).limits([1.0, 1.0], [11.0, 21.0])
    assert [limit.per_stage for limit in small] == [1, 1]
    assert AuthorsWait(2).limits([100.0, 1.0], [5.0, 5.0])[1].in_service == 1.0


def test_the_law_of_a_workload_sets_limits_and_segments():
    """Claim: by hand. Of 8 requests 6 have 3 output tokens and 2 have 9: two bins, stages 3 and 9, weights 18 and 18,
    so B = 12 gives each class 6 in service, 2 and 1 a stage. Nested with 3 segments of 3 tokens each and margin 0.25:
    of those in the first a quarter goes on, of these all: q = 0.5 and 0.99, n_1 = 12 / (3 (1 + 0.5 + 0.495)), caps
    6.02, 3.01 and 2.98."""
    work = Workload.of(np.arange(8), np.full(8, 10), [3] * 6 + [9] * 2)
    policy = AuthorsWait(12).from_law(work, SECONDS)
    assert (policy.information, policy.num_classes) == (Information.CLASS, 2)
    assert policy.settings["per_stage"] == [2, 1]
    assert policy.settings["in_service"] == pytest.approx([6.0, 6.0])
    assert [policy.classify(10, tokens) for tokens in (3, 4, 9)] == [0, 1, 1]
    segmented = AuthorsNestedWait(12, 3, margin=0.25).from_law(work, SECONDS)
    assert (segmented.information, segmented.num_cohorts) == (Information.NONE, 2)
    assert segmented.settings["segment_ends"] == [2, 5, 8]
    assert segmented.settings["segment_caps"] == [6, 3, 3]
    assert segmented.settings["total_limit"] == 12
    for made in (policy, segmented):
        assert_exact(work, SECONDS, made)


def test_what_may_enter_is_rounded_as_in_the_code():
    """Claim: the lesser of the limit per stage and what is left of the limit in service, rounded towards zero."""
    limit = ClassLimits(2, 4.5)
    assert [limit.room(serving) for serving in (0, 2, 3, 4, 5)] == [2, 2, 1, 0, 0]
    assert limit.room(7) == -2


def test_one_ready_class_takes_all_along():
    """Claim: by hand, 1 s an iteration, 2 a stage. Two short prompts fire at 0 and are paused from 1 on. Two long ones
    at 2.5 and 4 fire at 4, and the short ones advance with them: their second token comes at 5, the third when the last
    arrival ends the waiting at 10. WAIT as printed leaves them paused until 10, and they end at 12."""
    work = Workload.of([0.0, 0.0, 2.5, 4.0, 10.0], np.ones(5), [3, 3, 6, 6, 1])
    run = simulate(work, SECONDS, two_classes(AnyClassFires((ClassLimits(2, 99.0), ClassLimits(2, 99.0)))))
    assert run.first_token_s.tolist() == [1.0, 1.0, 5.0, 5.0, 11.0]
    assert run.completion_s.tolist() == [11.0, 11.0, 15.0, 15.0, 11.0]
    printed = simulate(work, SECONDS, two_classes(Waiting((2, 2))))
    assert printed.completion_s.tolist()[:2] == [12.0, 12.0]


def test_a_full_class_fires_without_anybody_waiting():
    """Claim: with two in service at most, two residents leave no room, so nobody need wait for them to go on."""
    work = Workload.of([0.0, 0.0, 50.0], [1, 1, 1], [4, 4, 1])
    limits = (ClassLimits(2, 2.0), ClassLimits(2, 2.0))
    run = simulate(work, SECONDS, two_classes(AnyClassFires(limits)))
    assert run.completion_s.tolist()[:2] == [4.0, 4.0]


def test_everybody_is_served_in_the_end():
    """Claim: nobody is discarded, whatever is left below the limits when arrivals end."""
    rng = np.random.default_rng(0)
    work = Workload.of(np.cumsum(rng.exponential(1.0, 101)), rng.integers(1, 50, 101), rng.integers(1, 60, 101))
    for policy in (AuthorsWait(20).from_law(work, SECONDS), AuthorsNestedWait(20, 3).from_law(work, SECONDS)):
        assert np.isfinite(simulate(work, SECONDS, policy, check=True).completion_s).all()


@given(st.integers(0, 50), st.integers(0, 60), st.integers(1, 200), st.integers(0, 10_000))
def test_quotas_sum_to_the_cap(start, width, cap, iteration):
    """Claim: over as many iterations as it has stages a segment lets its cap enter, evenly; `quota_lasts` says for how
    long the quota stays."""
    segment = CappedSegment(start, start + width, cap)
    quotas = [segment.quota(iteration + i) for i in range(width + 1)]
    assert sum(quotas) == cap
    assert max(quotas) - min(quotas) <= 1
    lasts = segment.quota_lasts(iteration)
    if cap % (width + 1) == 0:
        assert len(set(quotas)) == 1
    else:
        assert {segment.quota(iteration + i) for i in range(lasts)} == {segment.quota(iteration)}
        assert segment.quota(iteration + lasts) != segment.quota(iteration)


def test_caps_and_token_gate_of_the_published_runs():
    """Claim: 70% with 20 and 30% with 50 output tokens, tl = 30 and no margin: caps 21 and 9, as published. One type of
    prompt 512 and 20 tokens with tl = 21 and chunks of 256: 21/22 prompts a stage, two of the 22 stages in prefill:
    1.909 prompts, so ceil(19.09 + 1.909 * 256) = 508 tokens."""
    two_types = Workload.of(np.arange(10), np.full(10, 512), [20] * 7 + [50] * 3)
    batcher = AuthorsNestedWait(30, margin=0.0).batcher(two_types, edges=(20, 50))
    assert (batcher.ends, batcher.caps) == ((19, 49), (21, 9))
    one_type = Workload.of(np.arange(4), np.full(4, 512), np.full(4, 20))
    single = AuthorsNestedWait(21, segments=1).batcher(one_type)
    assert (single.ends, single.caps, single.batch_tokens) == ((19,), (21,), 508)


def test_segments_are_gated_one_by_one():
    """Claim: by hand, 1 s an iteration, quotas of two, first segment to stage 1. Prompt 0 is processed at once and then
    paused; prompt 1 too. Two more at 6 let the first two go on, and they enter the second segment at 7 while the new
    ones are paused behind them; in its interior they pause at 8, since nobody enters. From the last arrival at 20 on
    everybody goes when the gates let nobody."""
    batcher = GatedSegments((1, 9), (4, 16), 50, 100, 1000)
    work = Workload.of([0.0, 3.0, 6.0, 6.0, 20.0], np.ones(5), [5, 5, 5, 5, 1])
    seen = []

    def noting(view):
        plan = batcher(view)
        if plan.prefill or plan.decode:
            seen.append((view.now_s, len(plan.prefill)))
        return plan

    run = simulate(work, SECONDS, nested(noting))
    assert run.first_token_s.tolist() == [1.0, 4.0, 7.0, 7.0, 21.0]
    assert run.completion_s.tolist() == [23.0, 23.0, 25.0, 25.0, 21.0]
    assert [time for time, prompts in seen if prompts] == [0.0, 3.0, 6.0, 20.0]
    assert [time for time, _ in seen if time < 20] == [0.0, 3.0, 6.0, 7.0]


def test_prompts_come_in_chunks_within_the_token_gate():
    """Claim: two prompts of 8 tokens in chunks of 4, at most 6 tokens an iteration: 4 + 2, 4 + 2, then the last 4."""
    batcher = GatedSegments((9,), (100,), 50, 4, 6)
    chunks = []

    def noting(view):
        plan = batcher(view)
        chunks.extend([[chunk.tokens for chunk in plan.prefill]] if plan.prefill else [])
        return plan

    run = simulate(Workload.of([0.0, 0.0], [8, 8], [1, 1]), SECONDS, nested(noting))
    assert chunks == [[4, 2], [4, 2], [4]]
    assert run.completion_s.tolist() == [2.0, 3.0]


def test_the_system_holds_no_more_than_its_limit():
    """Claim: at most `total_limit` requests are admitted at any time."""
    rng = np.random.default_rng(1)
    work = Workload.of(np.zeros(40), rng.integers(1, 30, 40), rng.integers(1, 40, 40))
    batcher = AuthorsNestedWait(6, 2).batcher(work)
    most = []

    def noting(view):
        most.append(view.num_running)
        return batcher(view)

    simulate(work, SECONDS, nested(noting))
    assert max(most) == 6


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.floats(1, 12)), min_size=2, max_size=2),
    seeds,
    st.sampled_from([1, 7, 16]),
    st.integers(1, 2),
)
def test_epochs_equal_single_iterations_when_any_class_fires(limits, seed, block, size):
    """Claim: the exactness law holds with any limits at the edge of the memory; nobody is lost."""
    work, edge = edge_of_memory(seed, block, 40, n=16)
    policy = two_classes(AnyClassFires(tuple(ClassLimits(*pair) for pair in limits)))
    assert_exact(work, Fleet.identical(edge, size), policy.routed_by(ROUTERS["jsq"]))


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3),
    st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 30)),
    seeds,
    st.sampled_from([1, 7, 16]),
    st.integers(1, 2),
)
def test_epochs_equal_single_iterations_for_gated_segments(parts, sizes, seed, block, size):
    """Claim: the exactness law holds with any segments, caps, chunks and gates at the edge of the memory."""
    ends = tuple(np.cumsum([width for width, _ in parts]).tolist())
    work, edge = edge_of_memory(seed, block, 40, n=16)
    policy = nested(GatedSegments(ends, tuple(cap for _, cap in parts), *sizes))
    assert_exact(work, Fleet.identical(edge, size), policy.routed_by(ROUTERS["jsq"]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GatedSegments((5, 5), (1, 1), 1, 1, 1), "increasing ends"),
        (lambda: GatedSegments((5, 6), (1,), 1, 1, 1), "a cap for each"),
    ],
)
def test_bad_parameters_are_refused(make, message):
    """Claim: segments that do not follow each other, or have no cap each, are an input error."""
    with pytest.raises(InputError, match=message):
        make()
