"""What prefills cost those present: hand-computed cases, and paths that used to be slow or to fail."""

import time

import numpy as np
import pytest

from fluid import bounds, equilibrium
from fluid.pathwise.congestion import congestion_bound_s
from fluid.pathwise.prefill_delay import PrefillDelay
from orsched import Fleet, Hardware, Workload, hardware, simulate
from orsched.metrics import measure
from orsched.service import Affine, Minorant
from policies import build

FLOOR = Minorant(0.0, 0.01, 0.0, 0.0)
MODEL = Minorant(1.0, 0.01, 0.0, 0.0)


def test_a_prompt_that_arrives_while_another_must_be_present_waits_for_it_or_delays_it():
    """By hand: the first stays until 5.1 s at least, the second brings 0.1 s of prefill at 2 s.

    Executed at once it delays the first by 0.1 request-seconds, and each prompt is present during its own
    0.1 s; with slope 0 nobody is counted, and what is left is never negative."""
    work = Workload.of([0.0, 2.0], [10, 10], [5, 5])
    delay = PrefillDelay(MODEL, FLOOR, 0.1, 100.0)
    total = delay.upto_s(work, np.array([1.0, 3.0]))
    # Alone: p (nu - (s + g) p / 2) with g = 10, s = 100, p = 0.1: nu = 1 and 2 requests present.
    assert total[-1] <= 0.1 * 1 + 0.1 * 2
    assert (np.diff(total) >= -1e-12).all()
    assert PrefillDelay(MODEL, FLOOR, 0.1, 0.0).upto_s(work, np.array([1.0]))[-1] == 0.0


def test_evenly_spaced_prompts_meet_all_who_must_be_present():
    """Prompts of 0.01 s arrive every 0.5 s and stay 100 iterations of 0.1 s: each must meet about 20 / (1 - 0.02)."""
    n = 2000
    work = Workload.of(np.arange(n) * 0.5, np.full(n, 1), np.full(n, 100))
    model = Minorant(0.1, 0.01, 0.0, 0.0)
    total = PrefillDelay(model, Minorant(0.0, 0.01, 0.0, 0.0), 0.01, 6.0).upto_s(work, np.array([999.5]))[-1]
    assert 0.9 * n * 0.01 * 20.4 <= total <= n * 0.01 * 21.5


def test_one_class_recovers_most_of_what_the_hull_loses():
    """Per request the hull gives (1 - phi) of the fluid latency; the bound exceeds (1 - phi / 2) of it, and no policy
    is below the bound."""
    n = 6000
    arrivals = np.cumsum(np.random.default_rng(1).exponential(1 / 7, n))
    work = Workload.of(arrivals, np.full(n, 500), np.full(n, 250))
    fleet = Fleet.identical(Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 0.0), 10**7, 256))
    bound = float(congestion_bound_s(work, fleet)[0]) / n
    phi = work.rate_per_s * 500 * 60e-6
    assert (1 - phi / 2) * equilibrium(work, fleet).latency_s[0] <= bound
    for name in ("srpt", "sarathi"):
        assert bound <= measure(simulate(work, fleet, build(name, work, fleet), 0))["latency_mean_s"]


def test_lasting_overload_is_bounded_quickly():
    """20,000 requests at ten times the capacity: whoever has arrived is present, and nobody is looked at twice."""
    fleet = Fleet.identical(hardware("reference"))
    rng = np.random.default_rng(0)
    n = 20_000
    work = Workload.of(np.sort(rng.uniform(0, n / 90, n)), rng.integers(50, 951, n), rng.integers(20, 481, n))
    started = time.process_time()
    congestion_bound_s(work, fleet)
    assert time.process_time() - started < 15


@pytest.mark.parametrize("base", [1e-170, 1e-300])
def test_tiny_bases_do_not_divide_by_zero(base):
    work = Workload.of([0.0, 1.0], [10, 20], [5, 7])
    assert bounds(work, Fleet.identical(Hardware("gpu", Affine(base, 1e-6, 1e-6, 1e-9), 1000, 8)))


@pytest.mark.parametrize("scale", [1e10, 1e12, 1e15])
def test_huge_coefficients_leave_the_combinatorial_bounds(scale):
    """Where the solver gives up on the congestion LP, the others remain."""
    work = Workload.of([0.0, 1.0], [10, 20], [5, 7])
    found = bounds(work, Fleet.identical(Hardware("gpu", Affine(scale, scale, scale, scale), 1000, 8)))
    assert {"srpt-family", "critical-path"} <= {b.name for b in found}


def test_seconds_since_1970_are_allowed_for():
    """Bounds of a path far from time zero stay below what a simulator with a double-precision clock measures."""
    work = Workload.of([1.7e9], [100], [5])
    fleet = Fleet.identical(hardware("reference"))
    values = measure(simulate(work, fleet, build("vllm-v1", work, fleet), 0))
    for b in bounds(work, fleet):
        if b.metric in values:
            assert b.gap(values[b.metric], metric=b.metric, subject=b.subject) >= 0, b.name


def test_the_longest_output_costs_no_memory():
    """One request of ten million tokens is as quick as a short one."""
    work = Workload.of([0.0, 1.0], [10, 20], [5, 10_000_000])
    started = time.process_time()
    congestion_bound_s(work, Fleet.identical(Hardware("gpu", Affine(0.01, 1e-6, 1e-6, 1e-9), 20_000_000, 8)))
    assert time.process_time() - started < 5


def test_a_service_model_that_cannot_be_hashed_is_refused_with_a_reason():
    class Odd(Affine):
        __hash__ = None

    from orsched.errors import InputError

    with pytest.raises(InputError, match="cannot be hashed"):
        congestion_bound_s(
            Workload.of([0.0], [5], [5]), Fleet.identical(Hardware("gpu", Odd(0.01, 1e-6, 1e-6, 1e-9), 100, 8))
        )
