"""WAIT's fluid equilibrium: the published closed forms, and fixed points of other models."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid import ClassRate, class_rates, equilibrium, stability_limits
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Affine, Batch, Hinged
from orsched.workloads import Workload
from tests.support.schedules import SECONDS, service_models

D0, D1 = 0.0102484863577943, 3.877682025836559e-07
CAPACITY = 137_000


def wait_class(rate, prefill, decodes):
    """WAIT's type (l, l') at a rate: one more output token than decode iterations."""
    return ClassRate(rate, prefill, decodes + 1)


def on(service, capacity=CAPACITY, size=1):
    return Fleet.identical(Hardware("gpu", service, capacity, 10**6), size)


WAIT = on(Affine.wait(D0, D1))


def S(prefill, decodes):
    return (decodes + 1) * (prefill + decodes / 2)


def test_works_of_the_published_types():
    assert S(512, 20) == 10_962
    assert S(512, 50) == 27_387
    assert S(512, 1000) == 1_013_012
    mix = [wait_class(0.7, 512, 20), wait_class(0.3, 512, 50)]
    found = equilibrium(mix, WAIT)
    assert found.memory_tokens / found.iteration_s == pytest.approx(15_889.5)


@pytest.mark.parametrize(
    ("decodes", "rate", "delta", "stages", "memory"),
    [(20, 20.0, 0.0112007, 0.224014, 2_455.64), (1000, 2.0, 0.0478069, 0.0956139, 96_858.0)],
)
def test_published_single_types(decodes, rate, delta, stages, memory):
    found = equilibrium([wait_class(rate, 512, decodes)], WAIT)
    assert found.iteration_s == pytest.approx(delta, rel=2e-6)
    assert found.in_flight_per_stage == pytest.approx([stages], rel=3e-6)
    assert found.memory_tokens == pytest.approx(memory, rel=2e-6)
    assert found.throughput_tokens_per_s == pytest.approx(rate * decodes)
    assert found.latency_s == pytest.approx([(decodes + 1) * found.iteration_s])
    assert found.fits


def test_crossing_and_pole_of_long_decodes():
    limits = stability_limits([wait_class(1.0, 512, 1000)], WAIT)
    assert limits.pole == pytest.approx(2.5457, abs=1e-4)
    assert limits.crossing == pytest.approx(2.134, abs=1e-3)


def lmsys(rate):
    """Two types mixed so that the mean S is the published 29,159.36."""
    low, high, mean = S(512, 50), S(512, 1000), 29_159.36
    share = (mean - low) / (high - low)
    return [wait_class(rate * (1 - share), 512, 50), wait_class(rate * share, 512, 1000)]


@pytest.mark.parametrize(("rate", "memory"), [(50, 34_377), (60, 55_758), (70, 100_327), (80, 250_509)])
def test_lmsys_table(rate, memory):
    found = equilibrium(lmsys(rate), WAIT)
    assert found.memory_tokens == pytest.approx(memory, rel=1e-5)
    assert found.fits == (rate < 80)


def test_lmsys_crossing_and_pole():
    limits = stability_limits(lmsys(1.0), WAIT)
    assert limits.crossing == pytest.approx(74.1379, rel=1e-6)
    assert limits.pole == pytest.approx(88.4402, rel=1e-6)


def test_toy_equilibria():
    one = equilibrium([wait_class(4, 1, 1)], on(Affine.wait(0.88, 0.01), 12))
    assert one.iteration_s == pytest.approx(1)
    assert one.in_flight_per_stage == pytest.approx([4])
    assert one.memory_tokens == pytest.approx(12)
    two = equilibrium([wait_class(1, 1, 1), wait_class(1, 1, 2)], on(Affine.wait(0.1, 0.1), 9))
    assert two.in_flight_per_stage == pytest.approx([1, 1])
    assert two.memory_tokens == pytest.approx(9)


def test_unstable_is_said_and_not_numbered():
    found = equilibrium([wait_class(100, 512, 1000)], WAIT)
    assert not found.stable
    assert not found.fits
    assert found.rho >= 1
    for field in ("iteration_s", "in_flight_per_stage", "memory_tokens", "throughput_tokens_per_s", "latency_s"):
        assert getattr(found, field) is None


lengths = st.tuples(st.floats(0.01, 5), st.integers(1, 500), st.integers(1, 200))


@given(st.lists(lengths, min_size=1, max_size=4), st.integers(700, 50_000), st.integers(1, 4))
def test_two_forms_of_the_stability_region(types, capacity, size):
    """M* <= C  <=>  sum lambda S <= n C / (d0 + d1 C): also the published Nie-Si-Zhou service rate."""
    classes = [ClassRate(*t) for t in types]
    fleet = on(Affine.wait(0.01, 4e-7), capacity, size)
    crossing = stability_limits(classes, fleet).crossing
    volume = sum(c.rate_per_s * S(c.input_tokens, c.output_tokens - 1) for c in classes)
    batch_s = 0.01 + 4e-7 * capacity
    assert crossing == pytest.approx(size * capacity / (volume * batch_s))
    for factor, fits in ((0.999, True), (1.001, False)):
        scaled = [ClassRate(c.rate_per_s * crossing * factor, c.input_tokens, c.output_tokens) for c in classes]
        assert equilibrium(scaled, fleet).fits == fits


@given(st.lists(lengths, min_size=1, max_size=3), service_models())
def test_every_equilibrium_balances(types, service):
    """Delta* is the time of the batch that Delta* seconds of arrivals make, and there is no smaller one."""
    classes = [ClassRate(*t) for t in types]
    found = equilibrium(classes, on(service))

    def time(x):
        n = [c.rate_per_s * x for c in classes]
        work = [
            (c.input_tokens, c.input_tokens**2 / 2, c.output_tokens - 1,
             sum(c.input_tokens + k for k in range(c.output_tokens - 1)))
            for c in classes
        ]  # fmt: skip
        prompt, attention, seqs, reads = (sum(a * w[k] for a, w in zip(n, work, strict=True)) for k in range(4))
        return service.iteration_s(Batch(prompt, attention, 0, seqs, reads))

    if found.stable:
        delta = found.iteration_s
        assert time(delta) == pytest.approx(delta, rel=1e-9)
        assert all(time(delta * k / 50) > delta * k / 50 * (1 - 1e-9) for k in range(1, 50))
        assert found.rho == pytest.approx(1 - service.iteration_s(Batch()) / delta, abs=1e-9)
    else:
        assert all(time(x) > x for x in np.geomspace(1e-6, 1e6, 200))


def test_hinged_equals_affine_below_the_hinge():
    classes = [ClassRate(2.0, 100, 50), ClassRate(1.0, 300, 10)]
    terms = (0.01, 60e-6, 50e-6, 1e-7)
    affine = equilibrium(classes, on(Affine(*terms)))
    hinged = equilibrium(classes, on(Hinged(*terms, 1e6, 1e-3)))
    assert hinged.iteration_s == pytest.approx(affine.iteration_s, rel=1e-12)


def test_pole_of_a_hinged_model_whose_hinge_drops_out():
    """Below the hinge each second of arrivals takes 0.5 s, above it 2 s: the best balance is at the hinge."""
    classes = [ClassRate(1.0, 1, 1)]
    service = Hinged(1.0, 0.5, 0.0, 0.0, 10.0, 1.5)
    limits = stability_limits(classes, on(service, 10**9))
    assert limits.pole == pytest.approx(10 / 6, rel=1e-9)
    assert equilibrium(classes, on(service)).iteration_s == pytest.approx(2.0)
    assert not equilibrium([ClassRate(1.7, 1, 1)], on(service)).stable
    assert equilibrium([ClassRate(1.66, 1, 1)], on(service)).stable


def test_workload_is_its_empirical_mix():
    work = Workload.of([0, 1, 2, 3, 4], [5, 5, 7, 5, 7], [3, 3, 2, 4, 2])
    classes = class_rates(work)
    assert [(c.input_tokens, c.output_tokens) for c in classes] == [(5, 3), (5, 4), (7, 2)]
    assert [c.rate_per_s for c in classes] == pytest.approx([0.4, 0.2, 0.4])
    assert equilibrium(work, WAIT).iteration_s == pytest.approx(equilibrium(classes, WAIT).iteration_s)


def test_a_fleet_splits_the_demand():
    one = equilibrium([ClassRate(5, 512, 21)], WAIT)
    four = equilibrium([ClassRate(20, 512, 21)], on(Affine.wait(D0, D1), size=4))
    assert four.iteration_s == one.iteration_s
    assert four.throughput_tokens_per_s == pytest.approx(4 * one.throughput_tokens_per_s)


@pytest.mark.parametrize("row", [(0, 1, 1), (math.nan, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1.5, 1)])
def test_bad_classes_are_refused(row):
    with pytest.raises(InputError, match="ClassRate"):
        ClassRate(*row)


def test_an_empty_demand_is_refused():
    with pytest.raises(InputError, match="at least one class"):
        equilibrium([], WAIT)


@settings(max_examples=50)
@given(lengths, SECONDS)
def test_equilibrium_grows_with_the_rate(row, extra):
    rate, inputs, outputs = row
    service = Hinged(0.01, 1e-6, 1e-6, 1e-9, 20.0, 1e-6 * extra)
    slow = equilibrium([ClassRate(rate, inputs, outputs)], on(service))
    fast = equilibrium([ClassRate(rate * 1.1, inputs, outputs)], on(service))
    if fast.stable:
        assert slow.stable
        assert slow.iteration_s <= fast.iteration_s
