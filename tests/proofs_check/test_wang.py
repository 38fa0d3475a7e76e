"""The families on which simple rules fail, by their closed forms."""

import pytest

from fluid.hindsight import check_schedule, mc_benchmark_starts, mc_sf_starts, total_latency
from proofs_check.wang_sorted_f import FAMILIES, blocked_by_the_first, family_ratio, full_and_short, sorted_f


@pytest.mark.parametrize("length", [1, 2, 5, 9])
def test_first_come_first_served_by_its_closed_form(length):
    """Claim: TEL is L + L (L + 1); the good schedule is valid and has 2 L + 1."""
    instance, good = blocked_by_the_first(length)
    check_schedule(instance, good)
    assert total_latency(instance, mc_benchmark_starts(instance)) == length + length * (length + 1)
    assert total_latency(instance, good) == 2 * length + 1
    assert instance.memory_tokens == length**2


@pytest.mark.parametrize("length", [1, 2, 5, 9])
def test_shortest_first_by_its_closed_form(length):
    """Claim: TEL is L (L + 1) / 2 + L^2 (L + 2); the good schedule is valid and has 2.5 L (L + 1)."""
    instance, good = full_and_short(length)
    check_schedule(instance, good)
    assert total_latency(instance, mc_sf_starts(instance)) == length * (length + 1) // 2 + length**2 * (length + 2)
    assert 2 * total_latency(instance, good) == 5 * length * (length + 1)
    assert instance.memory_tokens == 2 * length**2


def test_sorted_f_finds_the_good_schedules():
    """Claim: on both families Sorted-F has the latency of the good schedule."""
    for family in FAMILIES.values():
        for length in (2, 4):
            assert family_ratio(family, sorted_f, length)[0] <= 1
