"""Goodput: LP bound >= any schedule; LP bound >= fractional servers >= whole servers; monotone."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid import ClassRate, capacity
from fluid.fleets.goodput_bound import goodput_bound
from fluid.fleets.goodput_plan import goodput_plan
from fluid.fleets.mean_tpot import decode_worth_s, mean_tpot_goodput_bound
from fluid.fleets.server_rate import server_rate
from fluid.fleets.tier import Tier
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Affine, Batch, Hinged, Minorant
from tests.support.tier_schedules import check_schedule, fleets


@settings(max_examples=25)
@given(fleets(), st.integers(0, 2**32))
def test_no_schedule_has_more_goodput_token_by_token(fleet, seed):
    check_schedule(fleet, seed, goodput_bound, lambda r, _: r.gap)


@settings(max_examples=25)
@given(fleets(), st.integers(0, 2**32))
def test_no_schedule_has_more_goodput_on_average(fleet, seed):
    check_schedule(fleet, seed, mean_tpot_goodput_bound, lambda r, _: r.mean_gap)


@pytest.mark.slow
@settings(max_examples=500)
@given(fleets(), st.integers(0, 2**32))
def test_no_schedule_has_more_goodput_at_length(fleet, seed):
    check_schedule(fleet, seed, goodput_bound, lambda r, _: r.gap)
    check_schedule(fleet, seed, mean_tpot_goodput_bound, lambda r, _: r.mean_gap)


mixes = st.lists(st.tuples(st.floats(0.1, 5), st.integers(1, 900), st.integers(2, 400)), min_size=1, max_size=3)
limits = st.sampled_from([0.013, 0.02, 0.03, 0.05, 0.2])
gpus = st.sampled_from(
    [
        Hardware("a", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 100_000, 256),
        Hardware("b", Hinged(0.01, 30e-6, 40e-6, 0.3e-6, 128, 40e-6, 3e-9), 60_000, 64, 16),
        Hardware("c", Hinged(0.01, 30e-6, 40e-6, 0.3e-6, 128, 40e-6, 3e-9, 1e-7, 2e-7), 60_000, 128),
    ]
)


@st.composite
def settings_of_tiers(draw, most=3):
    tiers = []
    for k in range(draw(st.integers(1, most))):
        lengths = st.tuples(st.floats(0.5, 20), st.integers(20, 900), st.integers(2, 400))
        classes = tuple(ClassRate(*draw(lengths)) for _ in range(draw(st.integers(1, 2))))
        ttft = draw(st.sampled_from([math.inf, 0.5]))
        tiers.append(Tier(f"tier {k}", draw(limits), classes, ttft, draw(st.sampled_from([1.0, 3.0]))))
    chips = draw(st.lists(gpus, min_size=1, max_size=2, unique_by=lambda hw: hw.name))
    return tiers, [Fleet.identical(hw, draw(st.integers(1, 4))) for hw in chips]


ROLES = st.sampled_from([("mixed",), ("mixed", "prefill", "decode")])


@settings(max_examples=10)
@given(settings_of_tiers(), st.booleans(), ROLES)
def test_bound_above_fractional_above_whole_servers(setting, scaled, roles):
    tiers, fleet = setting
    found = goodput_plan(tiers, fleet, roles=roles, time_limit_s=5)
    if scaled:
        if found.unserved:
            with pytest.raises(InputError, match="relax its TPOT or TTFT"):
                goodput_plan(tiers, fleet, scaled=True, roles=roles)
            return
        found = goodput_plan(tiers, fleet, scaled=True, roles=roles, time_limit_s=5)
    fractional, solver = found.plan.bounds
    slack = 1 + 1e-6
    assert found.plan.value <= solver.value * slack
    assert solver.value <= fractional.value * slack
    assert fractional.value <= found.limit.bound.value * slack
    assert (fractional.certified, solver.certified) == (True, False)
    used = {fleet.hardware.name: 0 for fleet in fleet}
    for option in found.plan.options:
        used[option.chip] += found.plan.counts[option.name]
    assert all(used[fleet.hardware.name] <= fleet.size for fleet in fleet)


@settings(max_examples=6)
@given(settings_of_tiers(2))
def test_plan_equals_trying_all_server_counts(setting):
    """For every split of the servers the best rates are an LP; with one tier per level and no guests it is by hand."""
    tiers, fleet = setting
    tiers = [replace(t, weight=1.0, ttft_s=math.inf) for t in tiers]
    fleet = fleet[:1]
    found = goodput_plan(tiers, fleet, time_limit_s=5)
    levels = sorted({t.tpot_s for t in tiers})
    best = 0.0
    for split in itertools.product(range(fleet[0].size + 1), repeat=len(levels)):
        if sum(split) <= fleet[0].size:
            best = max(best, _served(tiers, fleet[0].hardware, dict(zip(levels, split, strict=True))))
    assert found.plan.value == pytest.approx(best, rel=1e-5, abs=1e-9)


def _served(tiers, hw, servers):
    """Largest total rate for given servers by level: an LP solved by scipy."""
    from scipy.optimize import linprog

    pairs = [(k, level) for k, t in enumerate(tiers) for level in servers if t.tpot_s >= level]
    rate = {(k, level): server_rate(hw, tiers[k].classes, level).rate_per_s for k, level in pairs}
    pairs = [pair for pair in pairs if rate[pair] > 0]
    if not pairs:
        return 0.0
    rows = [[(lv == level) / rate[k, lv] for k, lv in pairs] for level in servers]
    rows += [[float(k == tier) for k, _ in pairs] for tier in range(len(tiers))]
    rhs = [*servers.values(), *(t.rate_per_s for t in tiers)]
    return -linprog([-1.0] * len(pairs), rows, rhs, method="highs").fun


@settings(max_examples=5)
@given(settings_of_tiers(2), st.sampled_from([goodput_bound, mean_tpot_goodput_bound]))
def test_bound_is_monotone(setting, bound_of):
    """More servers, looser limits, more memory, larger batches or more offered never lower the bound."""
    tiers, fleet = setting

    def value(tiers=tiers, fleet=fleet):
        return bound_of(tiers, fleet).bound.value

    base, slack = value(), 1 - 3e-9
    first, hw = fleet[0], fleet[0].hardware
    assert value(fleet=[Fleet.identical(first.hardware, first.size + 1), *fleet[1:]]) >= base * slack
    for change in ({"kv_capacity_tokens": 2 * hw.kv_capacity_tokens}, {"max_num_seqs": 2 * hw.max_num_seqs}):
        assert value(fleet=[Fleet.identical(replace(hw, **change), first.size), *fleet[1:]]) >= base * slack
    for change in ({"tpot_s": 2 * tiers[0].tpot_s}, {"ttft_s": math.inf}):
        assert value([replace(tiers[0], **change), *tiers[1:]]) >= base * slack
    more = tuple(replace(c, rate_per_s=2 * c.rate_per_s) for c in tiers[0].classes)
    assert value([replace(tiers[0], classes=more), *tiers[1:]]) >= base * slack


@pytest.mark.parametrize("size", [1, 3])
def test_loose_limits_give_the_planning_lp(size):
    """Without limits that bind, the largest multiplier is that of `capacity`."""
    fleet = Fleet.identical(Hardware("a", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 100_000, 256), size)
    classes = (ClassRate(3.0, 500, 250), ClassRate(1.0, 100, 400))
    found = goodput_bound([Tier("all", 100.0, classes)], [fleet], scaled=True).bound.value
    assert found == pytest.approx(capacity(classes, fleet).max_rate_per_s / 4.0, rel=1e-8)


@settings(max_examples=30)
@given(
    gpus,
    st.lists(st.tuples(st.floats(0.1, 5), st.integers(1, 900), st.integers(2, 400)), min_size=1, max_size=3),
    limits,
)
def test_server_rate_is_feasible_and_best_on_a_grid(hw, rows, limit):
    """It keeps limit, memory and seats; no other number of requests per iteration on a grid does better."""
    mix = [ClassRate(*row) for row in rows]
    for role in ("mixed", "decode", "prefill"):
        found = server_rate(hw, mix, limit, role)
        if found.rate_per_s == 0:
            assert hw.service.iteration_s(Batch()) >= limit * (1 - 1e-9)
            continue
        assert found.iteration_s <= limit * (1 + 1e-9)
        assert found.resident_tokens <= hw.kv_capacity_tokens * (1 + 1e-9)
        assert found.num_seqs <= hw.max_num_seqs * (1 + 1e-9)
        assert found.rate_per_s == pytest.approx(found.requests_per_iteration / found.iteration_s)
    single = [ClassRate(1.0, rows[0][1], rows[0][2])]
    best = server_rate(hw, single, limit, "decode").rate_per_s
    _, prompt, output = rows[0]
    for seqs in range(1, hw.max_num_seqs + 1):
        kv = seqs * (prompt + (output - 2) / 2)
        held = seqs * (prompt + output / 2 + hw.block_tokens - 1)
        time = hw.service.iteration_s(Batch(num_seqs=seqs, kv_tokens=kv))
        if time <= limit and held <= hw.kv_capacity_tokens // hw.block_tokens * hw.block_tokens:
            assert seqs / time / (output - 1) <= best * (1 + 1e-9)


@given(st.floats(0, 1), st.floats(0, 100), st.floats(0, 1), st.integers(1, 40))
def test_worth_of_a_decode_is_the_best_batch(base, price, work, most):
    best = min((b + price) * (base / b + work) for b in range(1, most + 1))
    found = decode_worth_s(Minorant(base, 0, 0, 0), most, price, np.array([work]))
    assert found[0] == pytest.approx(best, rel=1e-9)


def test_bad_input_in_words():
    hw = Hardware("a", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 100_000, 256)
    tier = Tier("fast", 0.011, (ClassRate(1.0, 500, 250),))
    with pytest.raises(InputError, match=r"tier 'fast': no mixed server sustains it"):
        goodput_plan([tier], [Fleet.identical(hw)], scaled=True)
    plan = goodput_plan([tier, replace(tier, name="slow", tpot_s=0.1)], [Fleet.identical(hw)])
    assert len(plan.unserved) == 1
    assert plan.to_rows()[0]["planned_per_s"] == 0
    assert plan.to_rows()[1]["planned_per_s"] == pytest.approx(1.0)
    with pytest.raises(InputError, match="distinct names"):
        goodput_bound([tier, tier], [Fleet.identical(hw)])
    with pytest.raises(InputError, match=r"tpot_s = 0"):
        replace(tier, tpot_s=0)
    with pytest.raises(InputError, match="no requests"):
        Tier("none", 1.0, ())
    with pytest.raises(InputError, match="share a hardware name"):
        goodput_plan([tier], [Fleet.identical(hw), Fleet.identical(hw)])


def test_answers_of_one_token_do_not_lower_the_multiplier():
    """Claim: without any decode the fleet is limited by its prefills alone: one in 0.01 + 7 * 0.3 seconds."""
    fleet = Fleet.identical(Hardware("slow", Affine(0.01, 0.3, 1.0, 0.0), 25, 1))
    tier = Tier("one", 0.001, (ClassRate(0.05, 7, 1),), ttft_s=30.0)
    for bound_of in (goodput_bound, mean_tpot_goodput_bound):
        assert bound_of([tier], [fleet], scaled=True).bound.value == pytest.approx(20 / 2.11, rel=1e-6)
