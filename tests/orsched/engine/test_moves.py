"""Requests that pause and resume with their KV cache in place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import REFERENCE, SERVICE_MODELS, random_workload, seeds, services, tight_hardware

from orsched import IDLE, Chunk, Fleet, Information, Move, Plan, Policy, Workload, simulate
from orsched.errors import InputError, PlanError
from orsched.prediction import Predictions


class Alternating:
    """Lets two halves of the residents take turns of `period` iterations; when memory is short one stays."""

    def __init__(self, period):
        self.period = period

    def __call__(self, view):
        left = view.memo.get("turn_ends", 0) - view.iterations
        moves = ()
        if left <= 0 or not view.decoding(0):
            left, view.memo["turn_ends"] = self.period, view.iterations + self.period
            running = [r for r in view.running if view.cohort_of(r) is not None]
            moves = tuple(Move(r, (view.cohort_of(r) == 0) if r % 3 else 0) for r in running)
            if all(move.cohort for move in moves):
                moves = tuple(Move(r, 0) for r in running)
        active = [m.request for m in moves if m.cohort == 0] if moves else view.members(0)
        need, free = sum(map(view.needs_block, active)), view.free_blocks
        if need > free:
            spared = next(iter(active))
            others = tuple(r for r in view.running if r != spared)
            return Plan(decode=(0,), preempt=others, moves=(Move(spared, 0),), max_steps=1)
        head = next(iter(view.waiting), None)
        seats, free = view.max_num_seqs - len(view.running), free - len(view.running)
        if head is not None and seats > 0 and view.blocks_for(view.prompt_tokens[head]) <= free:
            return Plan((Chunk(head, view.prompt_tokens[head]),), (0,), moves=moves)
        return Plan(decode=(0,), moves=moves, max_steps=left)


@settings(max_examples=80)
@given(seeds, services, st.integers(1, 9), st.sampled_from([1, 16]))
def test_the_exactness_law_covers_pausing(seed, service, period, block):
    """Claim: with residents that pause and resume all the time, epochs equal single iterations, the ledger agrees
    with the requests after every arrival, and gaps between tokens are as many as tokens."""
    workload = random_workload(seed, n=40)
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    policy = Policy("alternating", Alternating(period), num_cohorts=2)
    left = simulate(workload, fleet, policy, check=True, token_gaps=True)
    right = simulate(workload, fleet, policy, epoch_limit=1, token_gaps=True)
    np.testing.assert_allclose(left.completion_s, right.completion_s, rtol=1e-9)
    np.testing.assert_allclose(left.kv_token_s, right.kv_token_s, rtol=1e-9)
    np.testing.assert_array_equal(left.preemptions, right.preemptions)
    assert left.token_gaps.tokens == (workload.output_tokens - 1).sum()
    assert left.token_gaps.total_s == pytest.approx((left.completion_s - left.first_token_s).sum())


def test_a_paused_request_keeps_its_cache_and_resumes_where_it_was():
    """Claim: by hand. Two requests of 10 and 4 tokens; after the third token of the first it pauses until the second
    is done. No token is computed twice, and the first finishes after the sum of both decodes."""

    def batch(view):
        if view.waiting:
            return Plan(tuple(Chunk(r, view.prompt_tokens[r]) for r in view.waiting), (0,))
        members = list(view.members(0))
        if not view.running:
            return IDLE
        if 0 in members and 1 in members and view.emitted_tokens(0) == 3:
            assert view.cached_tokens(0) == 100 + 2
            return Plan(decode=(0,), moves=(Move(0, 1),))
        if not members:
            assert view.emitted_tokens(0) == 3
            return Plan(decode=(0,), moves=(Move(0, 0),))
        return Plan(decode=(0,), max_steps=2 if view.emitted_tokens(0) == 1 else 2**30)

    workload = Workload.of([0.0, 0.0], [100, 100], [10, 4])
    run = simulate(workload, Fleet.identical(REFERENCE), Policy("hand", batch, num_cohorts=2), check=True)
    pair, single = (SERVICE_MODELS["affine"].decode_curve(n) for n in (2, 1))
    expected = run.first_token_s[0] + pair(200) + pair(202) + single(102)
    assert run.completion_s[1] == pytest.approx(expected)
    assert run.completion_s[0] == pytest.approx(expected + sum(single(102 + k) for k in range(7)))
    assert run.preemptions.sum() == 0


@pytest.mark.parametrize(
    ("moves", "message"),
    [((Move(0, 0),), "cannot be moved: it is not decoding"), ((Move(0, 5),), "moved to cohort 5, there are 2")],
)
def test_moves_that_cannot_be_made_are_refused(moves, message):
    """Claim: a move names a decoding request and a cohort there is."""
    policy = Policy("bad", lambda view: Plan(moves=moves), num_cohorts=2)
    with pytest.raises(PlanError, match=message):
        simulate(Workload.of([0.0], [5], [5]), Fleet.identical(REFERENCE), policy)


class Fixed:
    name = "fixed"

    def __init__(self, *columns):
        self.columns = columns

    def __call__(self, workload, rng):
        return Predictions.of(*(np.array(c) for c in self.columns))


def test_a_policy_sees_predictions_in_place_of_lengths():
    """Claim: point and interval are what the predictor said, the truth stays hidden, and a request that outlives its
    prediction is known to need one token more than it has emitted, in point and interval alike."""
    seen = []

    def batch(view):
        if view.waiting:
            seen.append((view.emitted_tokens(0), view.output_tokens(0), view.output_interval(0)))
            return Plan((Chunk(0, 7),))
        if view.running:
            seen.append((view.emitted_tokens(0), view.output_tokens(0), view.output_interval(0)))
        return Plan(max_steps=1)

    policy = Policy("p", batch, information=Information.ORACLE).predicted_by(Fixed([3], [2], [4]))
    simulate(Workload.of([0.0], [7], [6]), Fleet.identical(REFERENCE), policy)
    ends = [(2, 4), (2, 4), (3, 4), (4, 4), (5, 5), (6, 6)]
    assert seen == list(zip(range(6), [3, 3, 3, 4, 5, 6], ends, strict=True))
    assert policy.settings == {"predictor": "fixed"}


def test_information_and_predictor_go_together():
    """Claim: predicted information without a predictor, a predictor for a policy without lengths, and predictions
    out of order are refused with the reason."""
    with pytest.raises(InputError, match="'predicted' needs one"):
        Policy("p", lambda view: IDLE, information=Information.PREDICTED)
    with pytest.raises(InputError, match="uses no output lengths"):
        Policy("p", lambda view: IDLE).predicted_by(Fixed([1]))
    with pytest.raises(InputError, match="prediction of request 1: low 3, point 2"):
        Predictions.of(np.array([1, 2]), np.array([1, 3]))
    oracle = Policy("p", lambda view: IDLE, information=Information.ORACLE)
    with pytest.raises(InputError, match="for all 1 requests"):
        simulate(Workload.of([0.0], [7], [6]), Fleet.identical(REFERENCE), oracle.predicted_by(Fixed([1, 2])))
