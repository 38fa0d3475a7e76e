"""The fluid path: hand-computed steps, equilibrium, conservation, drain rate, and convergence of simulated systems."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid import ClassRate, equilibrium, planned_load, stability_limits
from fluid.trajectory import Inflow, LengthMix, RateProfile, TokenBudgetServer, trajectory
from orsched.catalogue import Hardware, hardware
from orsched.engine.simulation import simulate
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Affine
from orsched.workloads import (
    Fixed,
    GammaRenewal,
    Independent,
    PiecewisePoisson,
    Poisson,
    Uniform,
    Workload,
    synthetic,
)
from policies.sarathi import sarathi
from policies.vllm_v1 import vllm_v1
from tests.support.schedules import service_models

REFERENCE = hardware("reference")
LENGTHS = Independent(Uniform(50, 950), Uniform(20, 480))
BURST = RateProfile((0.0, 30.0, 50.0), (4.0, 14.0, 2.0))


def constant(rate, **end):
    return RateProfile((0.0,), (rate,), **end)


def one(profile, prompt, output):
    return Inflow.of(profile, [ClassRate(1.0, prompt, output)])


def server_of(hw, budget=2048, seats=256, watermark=0.0):
    capacity = hw.kv_capacity_tokens // hw.block_tokens * hw.block_tokens
    return TokenBudgetServer(hw.service, capacity, seats, budget, watermark, hw.block_tokens)


def unlimited(service):
    return TokenBudgetServer(service, 1e12, 1e12, 1e12)


def law_sample(seed=0, n=40_000):
    """Many requests that stand for the law of lengths."""
    return synthetic("law", Poisson(1.0), LENGTHS, n, np.random.default_rng(seed))


def test_first_iterations_by_hand():
    """T = 1 + B, one arrival a second, prompts of one token, two output tokens: every number follows on paper."""
    path = trajectory(one(constant(1.0), 1, 2), unlimited(Affine(1.0, 0.0, 1.0, 0.0)), 11.0)
    # From 0 nothing runs; from 1 a prefill of 1; from 2 its decode and a prefill of 1; from 4 a decode of 1 and
    # a prefill of the 2 that came meanwhile; from 6 a decode of 2 and a prefill of 2; from 9 likewise and 3.
    assert path.time_s.tolist() == [0.0, 1.0, 2.0, 4.0, 6.0, 9.0]
    assert path.iteration_s.tolist() == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert path.completed.tolist() == [0.0, 0.0, 0.0, 1.0, 2.0, 4.0]
    assert path.in_system.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert path.waiting.tolist() == [0.0] * 6
    assert path.kv_tokens.tolist() == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]


def test_equilibrium_by_hand():
    """Affine model, one class: iterations settle at base / (1 - rho), the number in system at rate x output x that."""
    service = Affine(0.012, 60e-6, 50e-6, 0.12e-6)
    path = trajectory(one(constant(4.0), 500, 250), unlimited(service), 60.0)
    rho = 4.0 * (60e-6 * 500 + 50e-6 * 249 + 0.12e-6 * (249 * 500 + 249 * 248 / 2))
    length = 0.012 / (1 - rho)
    assert path.iteration_s[-1] == pytest.approx(length, rel=1e-9)
    assert path.in_system[-1] == pytest.approx(4.0 * 250 * length, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    service_models(),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 12), st.floats(0.1, 1.0)), min_size=1, max_size=3),
    st.floats(0.1, 0.7),
)
def test_a_constant_rate_leads_to_the_equilibrium(service, kinds, share):
    """Any service model, several classes: the path converges to `fluid.equilibrium` wherever that exists."""
    fleet = Fleet.identical(Hardware("x", service, 10**9, 10**9))
    classes = [ClassRate(rate, prompt, output) for prompt, output, rate in kinds]
    pole = stability_limits(classes, fleet).pole
    scale = share * min(pole, 100.0)
    classes = [replace(c, rate_per_s=c.rate_per_s * scale) for c in classes]
    found = equilibrium(classes, fleet)
    total = sum(c.rate_per_s for c in classes)
    path = trajectory(Inflow.of(constant(total), classes), unlimited(service), 600 * found.iteration_s)
    assert path.iteration_s[-1] == pytest.approx(found.iteration_s, rel=1e-6)
    each = np.array([c.output_tokens for c in classes]) * found.in_flight_per_stage
    assert path.in_system[-1] == pytest.approx(each.sum(), rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), service_models())
def test_nothing_is_lost_and_no_limit_exceeded(seed, service):
    """Arrived = completed + in system at every iteration, whatever binds; memory stays within C, levels positive."""
    rng = np.random.default_rng(seed)
    starts = (0.0, *np.cumsum(rng.uniform(1, 20, 2)).tolist())
    profile = RateProfile(starts, tuple(rng.choice([0.0, 0.5, 3.0, 20.0], 3).tolist()), starts[-1] + 7.0)
    kinds = [[ClassRate(1.0, int(a), int(b)) for a, b in rng.integers(1, 12, (2, 2))] for _ in starts]
    inflow = Inflow(profile, tuple(LengthMix.of(pair) for pair in kinds))
    seats = float(rng.uniform(1, 20))
    server = TokenBudgetServer(
        service, float(rng.uniform(22, 120)), seats, seats + float(rng.uniform(0, 20)), 0.05 * float(rng.integers(2)), 1
    )
    path = trajectory(inflow, server, 80.0)
    scale = max(1.0, float(path.arrived[-1]))
    assert np.abs(path.arrived - path.completed - path.in_system).max() <= 1e-9 * scale
    assert path.kv_tokens.max() <= server.kv_capacity_tokens * (1 + 1e-9)
    assert path.waiting.min() >= -1e-9 * scale
    assert (path.in_system - path.waiting).max() <= seats * (1 + 1e-9)
    assert np.diff(path.completed).min() >= -1e-9 * scale
    expected = profile.expected(float(path.time_s[-1]))
    assert path.arrived[-1] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_burst_drains_at_the_capacity_rate():
    """While the memory is full and the stages are mixed, requests complete at load 1, within 0.2%."""
    law, fleet = law_sample(), Fleet.identical(REFERENCE)
    profile = RateProfile((0.0, 40.0), (16.0, 2.0))
    path = trajectory(Inflow.of(profile, law), server_of(REFERENCE), 80.0)
    first, last = np.searchsorted(path.time_s, [45.0, 75.0])
    rate = (path.completed[last] - path.completed[first]) / (path.time_s[last] - path.time_s[first])
    assert path.waiting[last] > 10
    assert rate == pytest.approx(law.rate_per_s * stability_limits(law, fleet).crossing, rel=2e-3)
    assert rate == pytest.approx(law.rate_per_s / planned_load(law, fleet), rel=2e-3)


def test_the_only_grid_is_that_of_the_rate():
    """A smooth rate averaged over windows of w seconds: the mean distance from the limit falls with order 2 in w."""

    def windows(width):
        edges = np.arange(0.0, 64.0 + width / 2, width)
        total = 5.0 * edges + 30.0 * (1 - np.cos(edges / 8.0))
        return RateProfile(tuple(edges[:-1].tolist()), tuple((np.diff(total) / width).tolist()), end_s=64.0)

    times, widths = np.arange(8.0, 64.0, 0.05), (8.0, 4.0, 2.0, 1.0)
    finest, *paths = (
        trajectory(one(windows(width), 300, 120), unlimited(REFERENCE.service), 64.0).in_system_at(times)
        for width in (1 / 16, *widths)
    )
    errors = [np.abs(path - finest).mean() for path in paths]
    assert errors[0] > 0.5
    order = np.polyfit(np.log(widths), np.log(errors), 1)[0]
    assert 1.6 < order < 2.4


def test_steps_that_change_nothing_change_nothing():
    """Cutting a constant rate into steps, or a class into two of the same lengths, gives the same path."""
    server = server_of(REFERENCE)
    whole = trajectory(one(RateProfile((0.0, 20.0), (12.0, 1.0)), 500, 250), server, 60.0)
    steps = RateProfile((0.0, 3.3, 7.0, 20.0, 31.0), (12.0, 12.0, 12.0, 1.0, 1.0))
    cut = trajectory(one(steps, 500, 250), server, 60.0)
    halves = [RateProfile((0.0, 20.0), (6.0, 0.5)), RateProfile((0.0, 10.0, 20.0), (6.0, 6.0, 0.5))]
    split = trajectory(Inflow.of_classes(halves, [ClassRate(1.0, 500, 250)] * 2), server, 60.0)
    for other in (cut, split):
        assert other.time_s == pytest.approx(whole.time_s, rel=1e-9)
        assert other.in_system == pytest.approx(whole.in_system, rel=1e-7, abs=1e-7)
        assert other.kv_tokens == pytest.approx(whole.kv_tokens, rel=1e-7, abs=1e-6)


def test_a_fleet_is_as_many_instances_each_with_its_share():
    """Four instances at four times the rate: four times the path of one."""
    single = trajectory(one(constant(5.0), 400, 100), server_of(REFERENCE), 20.0)
    fleet = trajectory(one(constant(20.0), 400, 100), server_of(REFERENCE), 20.0, instances=4)
    assert fleet.time_s == pytest.approx(single.time_s)
    assert fleet.in_system == pytest.approx(4 * single.in_system)


def test_an_idle_server_waits_for_the_rate_to_change():
    """After the last completion the path has one row until arrivals resume, and then begins like a fresh one."""
    service = Affine(0.01, 1e-5, 1e-5, 1e-8)
    pulse = RateProfile((0.0, 1.0, 50.0), (3.0, 0.0, 3.0))
    path = trajectory(one(pulse, 20, 30), unlimited(service), 51.0)
    (idle,) = np.flatnonzero(path.iteration_s > 1.0)
    assert path.in_system[idle] == 0.0
    assert path.time_s[idle] + path.iteration_s[idle] == 50.0
    again = path.in_system[idle + 1 : idle + 50]
    assert again == pytest.approx(path.in_system[: len(again)], abs=1e-9)


def scaled(hw, n):
    """The system n times as large: what an iteration sees of its batch is the n-th part."""
    one_nth = Affine(
        *(
            getattr(hw.service, f) / (1 if f == "base_s" else n)
            for f in ("base_s", "prompt_token_s", "sequence_s", "kv_token_s")
        )
    )
    return Hardware(f"{n}x", one_nth, hw.kv_capacity_tokens * n, hw.max_num_seqs * n, hw.block_tokens)


def run_scaled(hw, n, policy, arrivals, lengths, until_s, seed):
    """One sample path of the scaled system."""
    drawn = synthetic("w", arrivals, lengths, int(n * 30 * until_s), np.random.default_rng(seed))
    keep = np.flatnonzero(drawn.arrival_s < until_s)
    return simulate(drawn.take(keep, drawn.arrival_s[keep]), Fleet.identical(scaled(hw, n)), policy)


def level(run, n, times):
    """Number in system over n, at given times."""
    came = np.searchsorted(run.arrival_s, times, side="right")
    return (came - np.searchsorted(np.sort(run.completion_s), times, side="right")) / n


def burst_paths(n, seeds, policy, times):
    law = PiecewisePoisson(BURST.starts_s, tuple(n * rate for rate in BURST.rates_per_s))
    return np.array([level(run_scaled(REFERENCE, n, policy, law, LENGTHS, 75.0, seed), n, times) for seed in seeds])


POLICIES = {
    "vllm-v1": (lambda n: vllm_v1(2048 * n, 256 * n), {}),
    "sarathi": (lambda n: sarathi(512 * n, 128 * n), {"budget": 512, "seats": 128, "watermark": 0.01}),
    "budget-binds": (lambda n: vllm_v1(150 * n, 64 * n), {"budget": 150, "seats": 64}),
}


@pytest.mark.parametrize("name", list(POLICIES))
def test_simulated_systems_follow_the_path(name):
    """Scaled by 20, six seeds, through a burst: the path is within their 99.9% interval, widened by 3% of its peak."""
    policy, limits = POLICIES[name]
    times = np.arange(3.0, 75.0, 3.0)
    path = trajectory(Inflow.of(BURST, law_sample()), server_of(REFERENCE, **limits), 75.0)
    fluid = path.in_system_at(times)
    found = burst_paths(20, range(6), policy(20), times)
    half_width = 6.869 * found.std(axis=0, ddof=1) / math.sqrt(6)  # Student t, 5 degrees of freedom
    assert np.all(np.abs(found.mean(axis=0) - fluid) <= half_width + 0.03 * fluid.max())
    assert half_width.max() < 0.25 * fluid.max()
    assert path.waiting.max() > 10


@pytest.mark.slow
def test_the_error_of_a_scaled_system_is_of_order_one_over_root_n():
    """Mean over 12 seeds of the largest distance from the path, at scales 4, 16, 64, 256: slope about -1/2."""
    times = np.arange(1.0, 75.0, 1.0)
    path = trajectory(Inflow.of(BURST, law_sample(n=400_000)), server_of(REFERENCE), 75.0)
    fluid, scales = path.in_system_at(times), (4, 16, 64, 256)
    errors = [np.abs(burst_paths(n, range(12), vllm_v1(2048 * n, 256 * n), times) - fluid).max(axis=1) for n in scales]
    slope = np.polyfit(np.log(scales), np.log([np.mean(e) for e in errors]), 1)[0]
    assert -0.65 < slope < -0.35


def test_preemption_follows_the_rule():
    """One class, all admitted young, far more than will fit: the scaled system with clockwork arrivals agrees.

    Cohorts then complete in waves, so a time shift shows as a short distance: 5% of the peak, 0.5% on average.
    """
    hw = Hardware("small", Affine(0.01, 1e-5, 1e-5, 1e-7), 6_000, 256)
    times = np.arange(1.0, 30.0, 0.5)
    fluid = trajectory(one(constant(25.0), 60, 200), server_of(hw), 30.0).in_system_at(times)
    n = 40
    arrivals, lengths = GammaRenewal(25.0 * n, 0.0), Independent(Fixed(60), Fixed(200))
    run = run_scaled(hw, n, vllm_v1(2048 * n, 256 * n), arrivals, lengths, 30.0, 0)
    distance = np.abs(level(run, n, times) - fluid) / fluid.max()
    assert run.preemptions.sum() > n
    assert distance.max() < 0.05
    assert distance.mean() < 0.005


def test_classes_with_profiles_of_their_own():
    """Shares change where a rate does; in the end a class that stopped has left and the other is in equilibrium."""
    classes = [ClassRate(1.0, 300, 50), ClassRate(1.0, 100, 200)]
    profiles = [RateProfile((0.0, 25.0), (8.0, 0.0)), RateProfile((0.0, 10.0), (0.0, 5.0), end_s=70.0)]
    inflow = Inflow.of_classes(profiles, classes)
    assert inflow.profile.starts_s == (0.0, 10.0, 25.0, 70.0)
    assert inflow.profile.rates_per_s == (8.0, 13.0, 5.0, 0.0)
    assert [mix.shares.tolist() for mix in inflow.mixes[:3]] == [[1, 0], [8 / 13, 5 / 13], [0, 1]]
    path = trajectory(inflow, unlimited(REFERENCE.service), 80.0)
    found = equilibrium([replace(classes[1], rate_per_s=5.0)], Fleet.identical(REFERENCE))
    late = np.searchsorted(path.time_s, 69.0)
    assert path.in_system[late] == pytest.approx(200 * found.in_flight_per_stage[0], rel=1e-6)
    assert path.completed[-1] == pytest.approx(8 * 25 + 5 * 60)


def test_windows_of_a_trace_keep_their_own_lengths():
    """Short requests first, long ones later: each window has its rate and its mix; an empty one has rate 0."""
    trace = Workload.of([0.0, 1.0, 2.5, 6.1, 7.9], [1, 2, 3, 40, 50], [1, 2, 3, 40, 50])
    inflow = Inflow.of_windows(trace, 2.0)
    assert inflow.profile.rates_per_s == (1.0, 0.5, 0.0, 1.0, 0.0)
    means = [float(mix.shares @ mix.output_tokens) for mix in inflow.mixes]
    assert (means[0], means[1], means[3]) == (1.5, 3.0, 45.0)
    path = trajectory(inflow, unlimited(Affine(0.01, 0.0, 0.0, 0.0)), 20.0)
    assert path.completed[-1] == pytest.approx(5.0)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 30.0), st.sampled_from([0.0, 0.5, 2.0, 7.0])), min_size=1, max_size=4),
    st.booleans(),
    st.floats(0.0, 200.0),
)
def test_expected_arrivals_are_the_integral_of_the_rate(steps, repeats, time):
    """Between changes the count grows by rate times time; changes are found one after the other, in order."""
    starts = (0.0, *np.cumsum([width for width, _ in steps[:-1]]).tolist())
    profile = RateProfile(starts, tuple(r for _, r in steps), starts[-1] + steps[-1][0] if repeats else None)
    total, now = 0.0, 0.0
    while now < time:
        after = min(profile.next_start_s(now), time)
        assert after > now
        total += (after - now) * profile.rate_per_s_at(now)
        now = after
    assert profile.expected(time) == pytest.approx(total, rel=1e-9, abs=1e-9)


def test_profiles_of_laws_and_traces():
    """A law's profile inverts its expected times; windows of a trace keep its counts; nothing comes after an end."""
    law = PiecewisePoisson((0.0, 5.0), (2.0, 8.0), 12.0)
    counts = np.array([0.5, 9.0, 66.0, 67.0, 500.0])
    profile = RateProfile.of(law)
    assert [profile.expected(t) for t in law.times_of(counts).tolist()] == pytest.approx(counts)
    assert RateProfile.of(Poisson(3.0)) == constant(3.0)
    trace = Workload.of([0.0, 0.4, 2.1, 9.9], [1] * 4, [1] * 4)
    windows = RateProfile.of_windows(trace, 2.0)
    assert [windows.expected(t) for t in (2.0, 4.0, 8.0, 10.0, 99.0)] == pytest.approx([2, 3, 3, 4, 4])
    ended = constant(2.0, end_s=3.0)
    assert (ended.expected(50.0), ended.rate_per_s_at(3.0), ended.next_start_s(1.0)) == (6.0, 0.0, 3.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RateProfile((), ()), "one rate per start"),
        (lambda: RateProfile((1.0,), (1.0,)), "begin at 0"),
        (lambda: RateProfile((0.0, 0.0), (1.0, 1.0)), "increase strictly"),
        (lambda: RateProfile((0.0,), (-1.0,)), "finite and >= 0"),
        (lambda: RateProfile((0.0,), (math.nan,)), "finite and >= 0"),
        (lambda: RateProfile((0.0, 5.0), (1.0, 2.0), 5.0), "after the last start"),
        (lambda: constant(1.0, end_s=math.nan), "end_s"),
        (lambda: RateProfile.of_windows(law_sample(n=3), 0.0), "window_s"),
        (lambda: TokenBudgetServer(REFERENCE.service, 100.0, 10.0, 5.0), "max_num_seqs <= max_num_batched_tokens"),
        (lambda: TokenBudgetServer(REFERENCE.service, 0.0, 1.0, 5.0), "kv_capacity_tokens > 0"),
        (lambda: Inflow(constant(1.0), ()), "one for each, or one for all"),
        (lambda: Inflow.of_classes([], [ClassRate(1.0, 1, 1)]), "one profile without period for each class"),
        (lambda: RateProfile.of_windows(law_sample(n=30), 1e-6), "windows; at most"),
        (lambda: trajectory(one(constant(1.0), 1, 1), server_of(REFERENCE), math.inf), "until_s"),
        (lambda: trajectory(one(constant(1.0), 40_000, 2), server_of(REFERENCE), 1.0), "more KV memory"),
        (lambda: trajectory(one(constant(1.0), 1, 1), server_of(REFERENCE), 1.0, instances=0), "instances = 0"),
    ],
)
def test_bad_input(make, message):
    """Every impossible argument is named."""
    with pytest.raises(InputError, match=message):
        make()
