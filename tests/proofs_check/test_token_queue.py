"""The token-level queue, by hand and by its laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.models.token_queue import SCHEDULERS, WORK_CONSERVING, Batch, batches, staircase


def run(arrivals, prefill, decode, scheduler, budget, time):
    columns = (np.array(column, dtype=np.int64) for column in (arrivals, prefill, decode))
    return list(batches(*columns, SCHEDULERS[scheduler], budget, time))


def test_two_requests_by_hand():
    """Claim: 3 + 2 tokens twice, batches of 2 tokens that take 10: every batch of decode-first is as worked out."""
    found = run([0, 5], [3, 3], [2, 2], "decode-first", 2, lambda tokens: 10)
    assert found == [
        Batch(start=0, tokens=2, demand=3, residents=1, decoders=0, arrived=5, served=0, completed=0),
        # one token of the first prompt, one of the second, which came at 5
        Batch(start=10, tokens=2, demand=4, residents=2, decoders=0, arrived=10, served=2, completed=0),
        Batch(start=20, tokens=2, demand=3, residents=2, decoders=1, arrived=10, served=4, completed=0),
        Batch(start=30, tokens=2, demand=2, residents=2, decoders=1, arrived=10, served=6, completed=0),
        Batch(start=40, tokens=1, demand=1, residents=1, decoders=1, arrived=10, served=8, completed=1),
        Batch(start=50, tokens=1, demand=1, residents=1, decoders=1, arrived=10, served=9, completed=1),
    ]


def test_separate_phases_hold_up_prompts_while_anybody_decodes():
    """Claim: the second prompt waits for both decodes of the first."""
    found = run([0, 0], [2, 2], [2, 2], "separate-phases", 2, lambda tokens: 1)
    assert [(b.tokens, b.decoders) for b in found] == [(2, 0), (1, 1), (1, 1), (2, 0), (1, 1), (1, 1)]


def test_an_empty_queue_waits_for_the_next_arrival():
    """Claim: nothing runs between requests."""
    assert [b.start for b in run([7, 100], [1, 1], [1, 1], "oldest-first", 4, lambda tokens: 3)] == [7, 10, 100, 103]


def test_what_arrives_as_a_batch_ends_is_in_the_next_one():
    """Claim: arrivals at the very instant count."""
    assert [b.residents for b in run([0, 10], [1, 1], [2, 2], "oldest-first", 4, lambda tokens: 10)] == [1, 2, 2, 1]


def test_staircase():
    """Claim: 11.28 + 35.47 ceil(b / 128) in units of 10 us."""
    time = staircase(1_128, 3_547, 128)
    assert [time(b) for b in (1, 128, 129, 256)] == [4_675, 4_675, 8_222, 8_222]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8),
    st.sampled_from(sorted(SCHEDULERS)),
    st.integers(1, 12),
)
def test_laws_of_every_scheduler(requests, scheduler, budget):
    """Claim: tokens are conserved, no batch is empty or over its budget or over what is wanted, time goes on."""
    gaps, prefill, decode = zip(*requests, strict=True)
    found = run(np.cumsum(gaps), prefill, decode, scheduler, budget, staircase(1, 2, 3))
    assert sum(b.tokens for b in found) == sum(prefill) + sum(decode)
    for b, after in zip(found, [*found[1:], None], strict=True):
        assert 1 <= b.tokens <= min(budget, b.demand)
        assert b.decoders <= b.residents
        assert b.served + b.tokens == (after.served if after else sum(prefill) + sum(decode))
        if scheduler in WORK_CONSERVING:
            assert b.tokens == min(budget, b.demand)
        if after:
            assert after.start >= b.start + staircase(1, 2, 3)(b.tokens)


@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))
def test_everybody_is_served(scheduler):
    """Claim: those in the last batch are the only ones that are not done before it, and everything has arrived."""
    last = run([0, 3, 3, 50], [5, 1, 9, 2], [4, 4, 1, 3], scheduler, 4, lambda tokens: 2)[-1]
    assert last.completed == 4 - last.residents
    assert last.arrived == 29
