"""MC-SF against a round-by-round implementation of the paper's rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import SERVICE_MODELS, random_workload, seeds, tight_hardware
from round_rules import blocks, law_of_the_paper, start_rounds

from orsched import Fleet, Hardware, Workload, simulate
from orsched.service import Affine
from policies.mc_sf import mc_sf

ROUND = Affine(1.0, 0.0, 0.0, 0.0)


def check_against_the_paper(capacity, arrivals, prompts, outputs, block=1, most=256):
    fleet = Fleet.identical(Hardware("rounds", ROUND, capacity, most, block))
    run = simulate(Workload.of(arrivals.astype(float), prompts + 1, outputs), fleet, mc_sf(), check=True)
    expected = start_rounds(arrivals.tolist(), prompts.tolist(), outputs.tolist(), capacity, block, most)
    np.testing.assert_array_equal(run.first_scheduled_s, expected)
    np.testing.assert_array_equal(run.completion_s, np.array(expected) + outputs)


@pytest.mark.parametrize("burst", [True, False])
def test_schedules_are_the_papers(burst):
    """Claim: with rounds of unit time, start and completion of every request equal the paper's rule as printed, on 60
    instances of each of its two synthetic laws."""
    for seed in range(60):
        check_against_the_paper(*law_of_the_paper(seed, burst))


@pytest.mark.slow
@pytest.mark.parametrize("burst", [True, False])
def test_schedules_are_the_papers_at_length(burst):
    """Claim: the same on 500 further instances of each law."""
    for seed in range(1000, 1500):
        check_against_the_paper(*law_of_the_paper(seed, burst))


@settings(max_examples=60)
@given(seeds, st.booleans(), st.sampled_from([2, 3, 7, 16]), st.sampled_from([3, 6, 256]))
def test_blocks_and_seats_are_part_of_the_check(seed, burst, block, most):
    """Claim: with memory in blocks and few seats the schedule is the rule with whole blocks counted, stopping at the
    first request without a seat; the ledger, which refuses any overflow, agrees."""
    capacity, arrivals, prompts, outputs = law_of_the_paper(seed, burst)
    check_against_the_paper(blocks(capacity, block) * block, arrivals[:30], prompts[:30], outputs[:30], block, most)


def test_starts_in_mid_decode_as_soon_as_the_peaks_fit():
    """Claim: a request starts in the very round from which it fits, though nobody arrives or leaves then.

    Memory 13. The first request holds 9 in its last round, 9; one of prompt 2 started at d holds 10 - d next to it.
    """
    run = simulate(Workload.of([0.0, 0.0], [1, 2], [9, 12]), Fleet.identical(Hardware("rounds", ROUND, 13, 8)), mc_sf())
    assert run.first_scheduled_s.tolist() == [0.0, 6.0]
    assert run.completion_s.tolist() == [9.0, 18.0]


@pytest.mark.slow
@settings(max_examples=300)
@given(seeds, st.sampled_from(list(SERVICE_MODELS.values())), st.sampled_from([1, 3, 16]))
def test_never_preempts(seed, service, block):
    """Claim: memory checked at completions only is memory that suffices: nothing is preempted or refused."""
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    assert simulate(random_workload(seed), fleet, mc_sf(), check=True).preemptions.sum() == 0
