"""WAIT and Nested WAIT under time-varying rates: the window conditions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import REFERENCE

from fluid.trajectory.profile import RateProfile
from orsched import Fleet, Hardware, Workload, hardware, simulate
from orsched.errors import InputError
from orsched.service import Affine
from orsched.workloads import PiecewisePoisson, Poisson
from policies import Wait
from policies.parts.bins import LengthBins
from policies.wait import NestedWait
from policies.wait.nested_law import NestedLaw
from policies.wait.profile import class_profiles, cycle_memory_tokens, cycle_s
from policies.wait.varying import VaryingRates, collect_s, largest_survival
from policies.wait.windows import Windows

LMSYS = Fleet.identical(hardware("llama2-7b/a100-80g-linear-lmsys"))


def two_types(n, share=0.3, seed=0, decodes=(20, 50)):
    """Prompts of 512 tokens, a share of them with the longer output."""
    rng = np.random.default_rng(seed)
    outputs = np.where(rng.random(n) < share, decodes[1], decodes[0]) + 1
    return Workload.of(np.arange(float(n)), np.full(n, 512), outputs)


def at_times(times, workload):
    """The workload's lengths in turn, arriving at `times`."""
    rows = np.arange(len(times)) % len(workload)
    return Workload.of(times, workload.input_tokens[rows], workload.output_tokens[rows])


# Windows


def test_windows_by_hand():
    """Claim: rate 1 for 2 s, 3 for 1 s, 0 for 1 s, again and again: the busiest 2 s hold 4, the busiest 5 s hold 5 + 3;
    two arrivals are waited for at most 3 s, from the empty second on, and seven (5 a period and 2) a period longer."""
    windows = Windows.of(RateProfile((0.0, 2.0, 3.0), (1.0, 3.0, 0.0), period_s=4.0))
    assert windows.highest_rate_per_s == 3
    assert windows.busiest(1.0) == pytest.approx(3)
    assert windows.busiest(2.0) == pytest.approx(4)
    assert windows.busiest(5.0) == pytest.approx(8)
    assert windows.longest_lull_s(2) == pytest.approx(3.0, rel=1e-6)
    assert windows.longest_lull_s(7) == pytest.approx(7.0, rel=1e-6)


def test_a_share_of_each_step_is_a_rate_of_its_own():
    """Claim: the windows of a class are those of its share, step by step."""
    rates = RateProfile((0.0, 2.0), (1.0, 4.0))
    windows = Windows.of(rates, [1.0, 0.25])
    assert windows.busiest(3.0) == pytest.approx(3)
    assert windows.highest_rate_per_s == 1


def test_input_that_ends_is_no_lull():
    """Claim: beginnings after which so many are never expected do not count; where there are no others, no bound."""
    ending = Windows.of(RateProfile((0.0, 1.0, 5.0), (2.0, 0.0, 3.0), end_s=6.0))
    assert ending.longest_lull_s(1) == pytest.approx(4.5, rel=1e-6)  # from half a second on
    assert ending.longest_lull_s(6) == math.inf
    assert collect_s(ending, 6) is None


@st.composite
def step_rates(draw):
    steps = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=5))
    starts = np.cumsum([0, *(length for length, _ in steps)]).astype(float).tolist()
    rates = tuple(float(rate) for _, rate in steps)
    kind = draw(st.sampled_from(["periodic", "ending", "for ever"]))
    return RateProfile(
        tuple(starts[:-1]),
        rates,
        starts[-1] if kind == "periodic" else None,
        starts[-1] if kind == "ending" else math.inf,
    )


@settings(max_examples=60, deadline=None)
@given(step_rates(), st.sampled_from([0.25, 1.0, 3.5, 7.25]), st.sampled_from([0.5, 2, 7]))
def test_windows_match_a_search_over_beginnings(rates, window_s, number):
    """Claim: the busiest window and the longest lull equal those found by trying a beginning every 1/32 s."""
    if not any(rates.rates_per_s):
        return
    windows, step = Windows.of(rates), 1 / 32
    begins = np.arange(0, (rates.period_s or rates.starts_s[-1] + 5.0), step)
    expected = np.array([rates.expected(time) for time in np.arange(0, begins[-1] + 120, step)])
    ahead = int(window_s / step)
    index = np.arange(len(begins))
    assert windows.busiest(window_s) == pytest.approx(np.max(expected[index + ahead] - expected[index]), abs=1e-9)
    until = np.searchsorted(expected, expected[index] + number + 1e-7)
    lulls = (until - index)[until < len(expected)] * step
    if len(lulls):
        assert windows.longest_lull_s(number) == pytest.approx(lulls.max(), abs=2 * step)


def test_time_to_collect_is_within_its_bound():
    """Claim: for Poisson arrivals whose rate drops to a tenth for a while, the mean time to collect n, from any of 40
    beginnings, is at most twice the longest lull."""
    rates = RateProfile((0.0, 20.0), (3.0, 0.3), period_s=30.0)
    law = PiecewisePoisson(rates.starts_s, rates.rates_per_s, rates.period_s)
    rng = np.random.default_rng(0)
    for number in (1, 3, 10):
        worst = 0.0
        for begin in np.linspace(0, 29.25, 40):
            needed = rng.gamma(number, size=2000)
            worst = max(worst, float((law.times_of(rates.expected(begin) + needed) - begin).mean()))
        bound = collect_s(Windows.of(rates), number)
        assert bound / 2.5 < worst < bound


# Thresholds


@pytest.mark.parametrize("make", [Wait, NestedWait])
def test_a_constant_rate_gives_the_thresholds_of_a_constant_rate(make):
    """Claim: constant rates are the special case: same thresholds, cycle and slack."""
    workload = two_types(4000).at_rate(30.0)
    fixed = make().from_fluid(workload, LMSYS).settings
    varying = make().from_profile(Poisson(30.0), workload, LMSYS).settings
    for key in ("thresholds", "stage_iterations", "cycle_s"):
        assert varying[key] == fixed[key]
    assert varying["slack"] == pytest.approx(fixed["slack"], rel=1e-3)


@pytest.mark.parametrize("make", [Wait, NestedWait])
def test_thresholds_hold_in_the_busiest_window_and_are_lower_for_short_peaks(make):
    """Claim: the condition is over windows of a cycle: an hour at the peak rate needs the thresholds of the peak, peaks
    shorter than a cycle do not."""
    workload = two_types(2000)
    long = make().from_profile(PiecewisePoisson((0.0, 3600.0), (10.0, 80.0), 7200.0), workload, LMSYS).settings
    short = make().from_profile(PiecewisePoisson((0.0, 0.008), (10.0, 80.0), 0.016), workload, LMSYS).settings
    peak = make().from_profile(Poisson(80.0), workload, LMSYS).settings
    assert long["thresholds"] == peak["thresholds"]
    assert sum(short["thresholds"]) < sum(peak["thresholds"])
    for found in (long, short):
        busiest = np.atleast_1d(found["busiest_window"])
        assert (busiest < found["thresholds"][: len(busiest)]).all()
        assert found["slack"] > 0


@pytest.mark.parametrize("make", [Wait, NestedWait])
def test_a_day_with_a_lull_is_served(make):
    """Claim: over three periods with a peak and a lull nobody is lost or evicted, and the settings bound the lull."""
    workload = two_types(2000)
    law = PiecewisePoisson((0.0, 20.0, 40.0), (40.0, 5.0, 15.0), 60.0)
    policy = make().from_profile(law, workload, LMSYS)
    run = simulate(at_times(law.sample(3600, np.random.default_rng(2)), workload), LMSYS, policy, check=True)
    assert np.isfinite(run.completion_s).all()
    assert run.preemptions.sum() == 0
    n = policy.settings["thresholds"]
    (wait,) = np.atleast_1d(policy.settings["collect_s"])[:1]
    assert wait <= 2 * n[0] / (5.0 * (0.7 if make is Wait else 1.0)) * 1.05


def test_survival_is_the_largest_over_time():
    """Claim: p*_k is the largest survival of a step in which requests arrive, and the thresholds exceed it."""
    mostly_short, half = two_types(2000, 0.2, 1), two_types(2000, 0.5, 2)
    rates = RateProfile((0.0, 30.0, 60.0), (20.0, 20.0, 0.0), period_s=90.0)
    varying = VaryingRates.of(rates, [mostly_short, half, two_types(100, 1.0)], 1)
    p_half = float((half.output_tokens > 21).mean())
    assert largest_survival(varying.laws(), (20, 50)) == (p_half,)
    found = NestedWait().from_profile(rates, [mostly_short, half, two_types(100, 1.0)], LMSYS).settings
    assert found["survival"] == [p_half]
    n1, n2 = found["thresholds"]
    assert n2 / n1 > p_half


def test_classes_follow_the_mix_of_their_time():
    """Claim: a class's rate is its share of each step: the long type peaks in the step with fewer requests."""
    varying = VaryingRates.of(
        RateProfile((0.0, 60.0), (30.0, 20.0), period_s=120.0), [two_types(2000, 0.1, 1), two_types(2000, 0.9, 2)], 2
    )
    short, long = varying.windows_by_class(LengthBins((), (22,)))
    assert short.highest_rate_per_s == pytest.approx(15 * 0.9, rel=0.05)
    assert long.highest_rate_per_s == pytest.approx(10 * 0.9, rel=0.05)


def mix(prompt, long_tenths, rows):
    """Prompts of one length, 20 or, so many tenths of them, 50 decode steps; `rows` requests."""
    outputs = np.tile([51] * long_tenths + [21] * (10 - long_tenths), rows // 10)
    return Workload.of(np.arange(float(rows)), np.full(rows, prompt), outputs)


DAY = RateProfile((0.0, 100.0), (3.0, 1.0), 200.0)
ROOMY = Fleet.identical(Hardware("roomy", Affine.wait(0.01, 4e-7), 137_000, 256))


@pytest.mark.parametrize("make", [Wait, NestedWait])
def test_how_many_requests_a_sample_has_does_not_matter(make):
    """Claim: mixes that differ in prompts and outputs give the same policy from samples of 10 and 1,000 requests as of
    1,000 and 10."""
    left, right = (
        make().from_profile(DAY, [mix(20, 3, first), mix(4000, 6, second)], ROOMY).settings
        for first, second in ((10, 1000), (1000, 10))
    )
    for key in ("thresholds", "stage_iterations", "bins" if make is Wait else "cuts"):
        assert left[key] == right[key]
    for key in ("cycle_s", "memory_tokens"):
        assert left[key] == pytest.approx(right[key])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_conditions_hold_for_whatever_mixture_is_present(share):
    """Claim: of the requests of one step and the other, in any mixture, memory and cycle of the thresholds are no more
    than the settings say; those settings satisfy the conditions; and for the step with long prompts they are met."""
    steps = [mix(20, 3, 10), mix(4000, 6, 1000)]
    rows = [int(1000 * (1 - share)), int(1000 * share)]
    parts = [mix(20, 3, rows[0]), mix(4000, 6, rows[1])] if 0 < share < 1 else [mix((20, 4000)[share > 0], 6, 1000)]
    columns = ("input_tokens", "output_tokens")
    mixture = Workload.of(np.arange(1000.0), *(np.concatenate([getattr(p, c) for p in parts]) for c in columns))

    policy = Wait().from_profile(DAY, steps, ROOMY)
    found, bins = policy.settings, policy.classify
    profiles = class_profiles(mixture, bins.classify(mixture), bins.count, 1)
    n, g = found["thresholds"], found["stage_iterations"]
    assert cycle_memory_tokens(profiles, n, g, 1) <= found["memory_tokens"] * (1 + 1e-12)
    assert cycle_s(ROOMY.hardware.service, profiles, n, g) <= found["cycle_s"] * (1 + 1e-12)
    assert found["memory_tokens"] <= 137_000

    found = NestedWait().from_profile(DAY, steps, ROOMY).settings
    segments = NestedLaw.of(mixture).full(tuple(found["cuts"]), tuple(found["thresholds"]), found["stage_iterations"])
    assert segments.memory_tokens <= found["memory_tokens"] * (1 + 1e-12)
    assert segments.cycle_s(ROOMY.hardware.service) <= found["cycle_s"] * (1 + 1e-12)
    assert max(segments.survival) <= max(found["survival"])
    if share == 1:
        assert segments.memory_tokens == pytest.approx(found["memory_tokens"])


def test_laws_of_lengths_need_no_arrival_times():
    """Claim: only the lengths of the mixes matter."""
    workload = two_types(500)
    still = Workload.of(np.zeros(500), workload.input_tokens, workload.output_tokens)
    left = NestedWait().from_profile(Poisson(20.0), workload, LMSYS).settings
    assert NestedWait().from_profile(Poisson(20.0), still, LMSYS).settings == left
    assert NestedLaw.of(still).longest_decode == 50


@pytest.mark.parametrize("make", [Wait, NestedWait])
def test_bad_rates_are_refused(make):
    """Claim: no arrivals, a wrong number of mixes, and peaks beyond the conditions are refused with what to do."""
    workload = two_types(500)
    with pytest.raises(InputError, match="rates are all 0"):
        make().from_profile(RateProfile((0.0,), (0.0,)), workload, LMSYS)
    with pytest.raises(InputError, match="2 workloads for 3 steps"):
        make().from_profile(RateProfile((0.0, 1.0, 2.0), (1.0, 2.0, 1.0)), [workload] * 2, LMSYS)
    with pytest.raises(InputError, match=r"lower the (peak|load)"):
        make().from_profile(RateProfile((0.0, 60.0), (1.0, 5000.0), 120.0), workload, Fleet.identical(REFERENCE))
