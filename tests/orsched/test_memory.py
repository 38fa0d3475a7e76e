"""The KV ledger and the cohorts' closed-form growth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched import DECODE_ALL, Chunk, Fleet, Hardware, Plan, Policy, Workload, simulate
from orsched.engine.cohort import Cohort
from orsched.errors import InputError, PlanError
from orsched.memory import KVLedger
from orsched.service import Affine


@given(
    st.integers(1, 32),
    st.lists(st.tuples(st.integers(1, 200), st.integers(1, 60), st.integers(0, 80)), min_size=1, max_size=8),
    st.integers(1, 90),
)
def test_growth_of_a_cohort_equals_counting_blocks_one_by_one(block, members, steps):
    """Claim: `blocks_needed` is the sum over members of the blocks each really needs, for any reservation."""
    ledger = KVLedger(10**6, block)
    cohort = Cohort(block)
    for request, (kv, remaining, extra) in enumerate(members):
        ledger.reserve(request, kv + extra)
        cohort.join(request, kv, remaining, ledger.held[request])
    done = 0
    while len(cohort) and done < steps:
        run = min(cohort.steps_to_event(), steps - done)
        expected = 0
        for request, base in cohort.base.items():
            now = base + cohort.clock
            before = max(ledger.held[request], ledger.blocks_for(now))
            expected += max(ledger.held[request], ledger.blocks_for(now + run)) - before
        assert cohort.blocks_needed(run) == expected
        ledger.grow(expected)
        cohort.advance(run)
        for request, tokens in cohort.pop_finished():
            ledger.release(request, tokens)
        ledger.check_integrity((r, base + cohort.clock) for r, base in cohort.base.items())
        done += run


def test_reserving_more_than_is_free_raises_and_changes_nothing():
    """Claim: overflow is refused, with both numbers, and the books stay as they were."""
    ledger = KVLedger(160, 16)
    ledger.reserve(1, 100)
    with pytest.raises(PlanError, match="7 blocks of 16 tokens asked for, 3 of 10 free"):
        ledger.reserve(2, 100)
    assert ledger.used_blocks == 7
    ledger.release(1, 100)
    assert ledger.free_blocks == 10


@pytest.mark.parametrize(("capacity", "block"), [(0, 1), (15, 16), (10, 0)])
def test_a_ledger_without_a_block_is_refused(capacity, block):
    """Claim: a memory that holds nothing is an input error."""
    with pytest.raises(InputError, match="at least one block"):
        KVLedger(capacity, block)


def test_integrity_check_notices_a_lost_block():
    """Claim: the check is not vacuous: a book entry that disagrees with the requests is found."""
    ledger = KVLedger(100)
    ledger.reserve(1, 10)
    ledger.used_blocks += 1
    with pytest.raises(AssertionError, match="books say 11 blocks, requests hold 10"):
        ledger.check_integrity([(1, 10)])


def test_a_preempted_reservation_leaves_nothing_behind():
    """Claim: a request that reserved, was preempted and came back with another reservation is booked once."""

    def batch(view):
        for request in view.waiting:
            prompt = view.prompt_tokens[request]
            return Plan((Chunk(request, prompt, 60 if prompt == 10 else 209),))
        if view.iterations == 20 and len(view.running):
            return Plan(preempt=(0,), prefill=(Chunk(0, view.input_tokens(0) + 20, 209),))
        return Plan(max_steps=20 - view.iterations) if view.iterations < 20 else DECODE_ALL

    workload = Workload.of([0.0, 1000.0], [10, 10], [200, 1])
    fleet = Fleet.identical(Hardware("h", Affine(0.01, 1e-5, 1e-5, 1e-7), 1000))
    run = simulate(workload, fleet, Policy("returning", batch), check=True)
    assert run.preemptions.tolist() == [1, 0]
