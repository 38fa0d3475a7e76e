"""No schedule has smaller quantiles than the deadline bounds, and these beat the critical paths where they should."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import REFERENCE, SERVICE_MODELS, build, random_workload, tight_hardware

from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.quantiles import quantile_bounds
from fluid.subject import subject
from orsched.catalogue import Hardware
from orsched.engine.simulation import simulate
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.metrics import measure
from orsched.service import Affine
from orsched.statistics.quantiles import percentiles
from orsched.workloads import Workload
from policies import ROUTERS
from tests.support.schedules import instances, random_schedule

FLEET = Fleet.identical(REFERENCE)


def reference_path(n, load, seed=0):
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1.0, n))
    return Workload.of(arrivals, rng.integers(50, 951, n), rng.integers(20, 481, n)).at_load(load, FLEET)


def values_of(path, fleet):
    return {b.metric: b.value for b in quantile_bounds(path, fleet)}


def check(instance, seed):
    workload, fleet = instance
    found = values_of(workload, fleet)
    for k in range(4):
        first, done = random_schedule(workload, fleet, seed + k)
        times = {"ttft": first - workload.arrival_s, "latency": done - workload.arrival_s}
        measured = {f"{name}_{p}_s": v for name, column in times.items() for p, v in percentiles(column).items()}
        assert not [(metric, value) for metric, value in found.items() if measured[metric] < value]


@settings(max_examples=20)
@given(instances(most=10), st.integers(0, 2**32))
def test_no_random_schedule_beats_a_quantile_bound(instance, seed):
    check(instance, seed)


@pytest.mark.slow
@settings(max_examples=150)
@given(instances(most=30, longest=15), st.integers(0, 2**32))
def test_no_random_schedule_beats_a_quantile_bound_at_length(instance, seed):
    check(instance, seed)


@pytest.mark.parametrize("policy", ["vllm-v1", "sarathi", "sjf"])
@pytest.mark.parametrize("service", sorted(SERVICE_MODELS))
def test_no_policy_beats_a_quantile_bound(policy, service):
    fleet = Fleet.identical(tight_hardware(SERVICE_MODELS[service], 7, 4), 2)
    path = random_workload(11, n=120)
    run = simulate(path, fleet, build(policy, path, fleet).routed_by(ROUTERS["jsq"]))
    measured = measure(run)
    for b in quantile_bounds(path, fleet):
        assert b.certified
        assert b.gap(measured[b.metric], metric=b.metric, subject=b.subject) >= 0


def test_what_is_gained_over_critical_paths():
    """At load 0.9 the tail of TTFT is half as long again as alone, and that of latency a third."""
    path = reference_path(2000, 0.9)
    found, alone = values_of(path, FLEET), CriticalPaths.of(path, FLEET)
    assert found["ttft_p99_s"] > 1.5 * percentiles(alone.prefill_s)["p99"]
    assert found["latency_p99_s"] > 1.3 * percentiles(alone.latency_s)["p99"]
    assert found["latency_p90_s"] > 1.05 * percentiles(alone.latency_s)["p90"]


def test_simultaneous_prompts_are_exact():
    """Prefill almost without a base is one machine: of 100 prompts at once, the k-th is done after k of them."""
    fleet = Fleet.identical(Hardware("gpu", Affine(1e-9, 0.001, 0.0, 0.0), 10_000, 100))
    path = Workload.of(np.zeros(100), np.full(100, 50), np.ones(100))
    found = values_of(path, fleet)
    for p in (50, 90, 99):
        assert found[f"ttft_p{p}_s"] == pytest.approx(p * 0.05, rel=3e-3)
        assert found[f"ttft_p{p}_s"] < p * 0.05


def test_what_is_returned():
    """Only what beats the critical path; none for a lone request or for the time per token."""
    path = reference_path(500, 0.9)
    alone = CriticalPaths.of(path, FLEET)
    for b in quantile_bounds(path, FLEET):
        name, percent, _ = b.metric.split("_")
        floor = percentiles(alone.prefill_s if name == "ttft" else alone.latency_s)[percent]
        assert b.value > floor
        assert (b.sense, b.validity, b.subject) == ("lower", "pathwise", subject(path, FLEET))
        assert b.certificate["needed"] == int(percent[1:]) * 5
        assert b.certificate["relative_tolerance"] == 1e-9
    assert quantile_bounds(Workload.of([0.0], [100], [50]), FLEET) == ()


def test_smaller_with_more_of_everything():
    """Half the load, twice the machines or faster ones: every bound is smaller, or gone."""
    path = reference_path(600, 1.5)
    found = values_of(path, FLEET)
    faster = replace(REFERENCE, service=Affine(0.006, 30e-6, 25e-6, 0.06e-6))
    for other in (
        values_of(path.at_load(0.75, FLEET), FLEET),
        values_of(path, Fleet.identical(REFERENCE, 2)),
        values_of(path, Fleet.identical(faster)),
    ):
        assert all(value <= found[metric] * (1 + 3e-3) for metric, value in other.items())


def test_a_request_that_fits_nowhere_is_refused():
    with pytest.raises(InputError, match="no policy completes it"):
        quantile_bounds(Workload.of([0.0], [999], [999]), Fleet.identical(replace(REFERENCE, kv_capacity_tokens=999)))


@pytest.mark.slow
def test_a_hundred_thousand_requests():
    """Takes a few seconds, and says at least what a part of the path says to 10%."""
    long, short = (values_of(reference_path(n, 0.9), FLEET) for n in (100_000, 5_000))
    assert all(long[metric] > 0.9 * value for metric, value in short.items())
