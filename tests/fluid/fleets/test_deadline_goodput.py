"""Goodput under cumulative deadlines: the LP bound is above any schedule, of the engine's policies too."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid import ClassRate, capacity
from fluid.fleets.deadline_goodput import deadline_goodput_bound
from fluid.fleets.goodput_bound import goodput_bound
from fluid.fleets.mean_tpot import mean_tpot_goodput_bound
from fluid.fleets.tier import Tier
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.service import Affine
from tests.support.tier_schedules import check_schedule, fleets

GPU = Hardware("a", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 100_000, 256)
SCORINGS = {
    "every gap": lambda r, _: r.gap,
    "mean gap": lambda r, _: r.mean_gap,
    "deadlines": lambda r, ttft: r.pace(ttft),
}


@pytest.mark.parametrize("scoring", sorted(SCORINGS))
@settings(max_examples=20)
@given(fleets(), st.integers(0, 2**32))
def test_no_schedule_has_more_goodput(scoring, fleet, seed):
    """Claim: under any of the three scorings a random schedule on up to two chips stays below the bound."""
    check_schedule(fleet, seed, deadline_goodput_bound, SCORINGS[scoring])


@pytest.mark.slow
@settings(max_examples=500)
@given(fleets(), st.integers(0, 2**32), st.sampled_from(sorted(SCORINGS)))
def test_no_schedule_has_more_goodput_at_length(fleet, seed, scoring):
    """Claim: the same, on many more."""
    check_schedule(fleet, seed, deadline_goodput_bound, SCORINGS[scoring])


def test_the_other_bounds_do_not_hold_for_deadlines():
    """Claim: one request with an early first token keeps its deadlines at a pace that both other bounds exclude.

    Every iteration takes 1 s: with TTFT 10 s, TPOT 0.95 s and 11 tokens that is 11 s of the 19.5 s there are.
    """
    slow = Fleet.identical(Hardware("slow", Affine(1.0, 0.0, 0.0, 0.0), 1000, 4))
    tiers = [Tier("one", 0.95, (ClassRate(0.01, 1, 11),), ttft_s=10.0)]
    values = [bound(tiers, [slow]).bound.value for bound in (goodput_bound, mean_tpot_goodput_bound)]
    assert values == pytest.approx([0.0, 0.0], abs=1e-9)
    assert deadline_goodput_bound(tiers, [slow]).bound.value == pytest.approx(0.01, rel=1e-6)


def test_by_hand():
    """Claim: when only the base of an iteration counts, a life of L seconds must hold o iterations of a full batch.

    With base 1 s, up to 4 seats and no other work, o = 5 tokens take 5 s: 4 requests every 5 s. With L just below 5 s
    none is good, with any more all four are: the bound has both.
    """
    unit = Fleet.identical(Hardware("unit", Affine(1.0, 0.0, 0.0, 0.0), 10**6, 4))

    def value(ttft):
        return deadline_goodput_bound([Tier("a", 0.5, (ClassRate(10.0, 10, 5),), ttft_s=ttft)], [unit]).bound.value

    assert value(3.0) == pytest.approx(0.8, rel=1e-6)
    assert value(2.99) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("size", [1, 3])
def test_loose_limits_give_the_planning_lp(size):
    """Claim: without limits that bind, the largest multiplier is that of `capacity`, TTFT limit or not."""
    fleet = Fleet.identical(GPU, size)
    classes = (ClassRate(3.0, 500, 250), ClassRate(1.0, 100, 400))
    for ttft in (math.inf, 1e4):
        found = deadline_goodput_bound([Tier("all", 100.0, classes, ttft)], [fleet], scaled=True).bound.value
        assert found == pytest.approx(capacity(classes, fleet).max_rate_per_s / 4.0, rel=1e-7)


@settings(max_examples=8)
@given(st.sampled_from([0.013, 0.02, 0.05]), st.sampled_from([0.3, 1.0, 6.0]), st.integers(1, 3))
def test_bound_is_monotone(tpot, ttft, size):
    """Claim: looser limits, more servers, memory or seats never lower it; a tier of its own adds."""
    tier = Tier("a", tpot, (ClassRate(9.0, 300, 120), ClassRate(2.0, 700, 20)), ttft)
    other = Tier("b", 0.1, (ClassRate(3.0, 200, 50),), 2.0)

    def value(*tiers, size=size, hardware=GPU):
        return deadline_goodput_bound(tiers, [Fleet.identical(hardware, size)]).bound.value

    base, slack = value(tier), 1 - 3e-9
    assert value(replace(tier, tpot_s=2 * tpot)) >= base * slack
    assert value(replace(tier, ttft_s=2 * ttft)) >= base * slack
    assert value(replace(tier, ttft_s=math.inf)) >= base * slack
    assert value(tier, size=size + 1) >= base * slack
    for change in ({"kv_capacity_tokens": 200_000}, {"max_num_seqs": 512}):
        assert value(tier, hardware=replace(GPU, **change)) >= base * slack
    assert max(base, value(other)) * slack <= value(tier, other) <= (base + value(other)) / slack


def test_what_the_limits_cost():
    """Claim: a long TTFT is slack for slow tokens, so the bound rises with it while that on the mean does not."""
    fleet = [Fleet.identical(GPU)]

    def values(bound):
        tiers = [[Tier("chat", 0.015, (ClassRate(1.0, 500, 250),), ttft)] for ttft in (0.5, 1.0, 6.0)]
        return [bound(tier, fleet, scaled=True).bound.value for tier in tiers]

    mean, deadlines = values(mean_tpot_goodput_bound), values(deadline_goodput_bound)
    assert mean == pytest.approx([5.404] * 3, rel=1e-3)
    assert deadlines[0] < deadlines[1] < deadlines[2]
