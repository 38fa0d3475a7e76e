"""The congestion bound: its tangents hold for every batch, and its programme for every schedule."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid import equilibrium
from fluid.congestion import congestion_bound_s, congestion_programme
from fluid.minorants import sound_minorants, standalone
from fluid.programme import solve
from fluid.tangents import Progress, Tangent, tangent
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.service import Affine, Batch, Hinged, Minorant
from orsched.workloads import Workload
from tests.fluid.schedules import instances, random_schedule


@settings(max_examples=300)
@given(
    st.floats(0.001, 1),
    st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    st.floats(1, 40),
    st.floats(0, 50),
    st.data(),
)
def test_no_iteration_pays(base, limits, crowd, time, data):
    """b T >= sum (c_1 + e s_i + (1 + c_0) q_i) - c_0 T, for random participants."""
    low, high = limits
    price = tangent(Minorant(base, 1.0, low, 0.0), low, high, 30, crowd, time)
    if price is None:
        return
    s = np.array(data.draw(st.lists(st.floats(low, high), min_size=1, max_size=30)))
    q = np.array(data.draw(st.lists(st.floats(0, 3), min_size=len(s), max_size=len(s))))
    duration = base + s.sum() + q.sum()
    earned = len(s) * price.participation + price.work * s.sum() + (1 + price.time) * q.sum() - price.time * duration
    assert earned <= len(s) * duration * (1 + 1e-9)


def test_tangents_touch_at_their_crowd():
    """With equal participants and the price of time of that crowd, nothing is lost at it."""
    base, s, crowd = 0.012, 1e-4, 20
    time = s * crowd**2 / base
    price = tangent(Minorant(base, 0, s, 0), s, s, 256, crowd, time)
    duration = base + crowd * s
    assert crowd * (price.participation + price.work * s) - time * duration == pytest.approx(crowd * duration)


def test_progress_adds_up_to_the_requests_work():
    service = Hinged(0.01, 2e-4, 1e-4, 1e-6, 50, 1e-4, 1e-7)
    work = Workload.of([0, 1, 2], [30, 40, 50], [1, 5, 9])
    for m in standalone(sound_minorants(service, 30)):
        progress = Progress.of(work, m)
        assert progress.amounts[1:].sum(axis=0) == pytest.approx(m.work_s(work.work))
        assert progress.amounts[0].tolist() == [1, 5, 9]


def total_latency(workload, fleet, seed):
    _, done = random_schedule(workload, fleet, seed)
    return float(np.sum(done - workload.arrival_s))


@settings(max_examples=250)
@given(instances(), st.integers(0, 2**32))
def test_no_schedule_beats_it(instance, seed):
    workload, fleet = instance
    bound, _ = congestion_bound_s(workload, fleet)
    for k in range(5):
        assert bound <= total_latency(workload, fleet, seed + k) * (1 + 1e-9)


@settings(max_examples=150)
@given(
    instances(),
    st.integers(0, 2**32),
    st.lists(st.tuples(st.floats(1, 6), st.floats(0, 20)), min_size=1, max_size=4),
    st.lists(st.floats(0.05, 12), min_size=1, max_size=6),
)
def test_every_choice_of_tangents_and_windows_is_valid(instance, seed, touches, cuts):
    """Not only the prices and windows that are chosen well."""
    workload, fleet = instance
    hw = fleet.hardware
    starts = np.unique(np.concatenate([[workload.arrival_s[0]], workload.arrival_s[0] + np.array(cuts)]))
    for m in standalone(sound_minorants(hw.service, int(workload.input_tokens.min()))):
        progress = Progress.of(workload, m)
        found = (tangent(m, progress.low, progress.high, hw.max_num_seqs, *touch) for touch in touches)
        prices = (Tangent(0.0, 1.0, m.base_s), *(t for t in found if t is not None))
        solution = solve(congestion_programme(workload, fleet, progress, prices, starts))
        assert solution.status == "optimal"
        assert -solution.value <= total_latency(workload, fleet, seed) * (1 + 1e-6)


SERVICE = Affine(0.012, 60e-6, 50e-6, 0.0)


def poisson(n, rate, outputs=250, inputs=500):
    arrivals = np.cumsum(np.random.default_rng(1).exponential(1 / rate, n))
    return Workload.of(arrivals, np.full(n, inputs), np.full(n, outputs))


def test_long_paths_reach_the_hull_of_the_fluid_equilibrium():
    """One class: per request (1 - share of time on prefill) times the fluid latency, up to the path's ends."""
    work, fleet = poisson(20_000, 7.0), Fleet(Hardware("gpu", SERVICE, 10**7, 256))
    bound, _ = congestion_bound_s(work, fleet)
    fluid = equilibrium(work, fleet).latency_s[0]
    hull = (1 - work.rate_per_s * 500 * 60e-6) * fluid
    assert 0.96 * hull <= float(bound) / len(work) <= fluid * 1.05


def test_lone_requests_are_exact():
    """Far apart, every request takes its critical path."""
    work = Workload.of([0, 100, 200], [100, 200, 300], [10, 20, 30])
    fleet = Fleet(Hardware("gpu", SERVICE, 10**7, 256))
    bound, _ = congestion_bound_s(work, fleet)
    path = sum(
        SERVICE.iteration_s(Batch(prompt_tokens=int(i))) + (int(o) - 1) * SERVICE.iteration_s(Batch(num_seqs=1))
        for i, o in zip(work.input_tokens, work.output_tokens, strict=True)
    )
    assert float(bound) == pytest.approx(path, rel=1e-6)


@settings(max_examples=60)
@given(instances(sizes=(1, 2)))
def test_more_instances_never_raise_it_by_more_than_the_choice_of_prices(instance):
    """The optimum for fixed prices and windows falls with the number of instances."""
    workload, fleet = instance
    shortest = int(workload.input_tokens.min())
    m = standalone(sound_minorants(fleet.hardware.service, shortest))[0]
    progress = Progress.of(workload, m)
    prices = (Tangent(0.0, 1.0, m.base_s), tangent(m, progress.low, progress.high, 5, 1.5, 2.0))
    prices = tuple(p for p in prices if p is not None)
    starts = workload.arrival_s[0] + np.arange(6.0)
    few = solve(congestion_programme(workload, fleet, progress, prices, starts)).value
    bigger = replace(fleet, size=fleet.size + 1)
    many = solve(congestion_programme(workload, bigger, progress, prices, starts)).value
    assert -many <= -few * (1 + 1e-6) + 1e-9
