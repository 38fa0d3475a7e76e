"""No schedule beats a bound, and the bounds are what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid import bounds
from fluid.pathwise.makespan import planning_makespan_s
from orsched.bound import best_bound
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.load import load_terms, solve_load
from orsched.metrics import METRICS
from orsched.service import Affine, Batch, Hinged
from orsched.workloads import Workload
from tests.support.schedules import best_value, instances, random_schedule


def measured(workload, first, done):
    """The metrics of a schedule, computed here from their definitions."""
    gaps = workload.output_tokens - 1
    several = gaps > 0
    columns = {"latency": done - workload.arrival_s, "ttft": first - workload.arrival_s}
    makespan = done.max() - workload.arrival_s[0]
    found = {
        "effective_throughput_tokens_per_s": gaps.sum() / makespan,
        "output_throughput_tokens_per_s": workload.output_tokens.sum() / makespan,
        "throughput_requests_per_s": len(workload) / makespan,
    }
    if several.any():
        columns["tpot"] = (done - first)[several] / gaps[several]
        found["itl_mean_s"] = (done - first).sum() / gaps.sum()
    for name, values in columns.items():
        found[f"{name}_mean_s"] = values.mean()
        for q in (50, 90, 99):
            found[f"{name}_p{q}_s"] = np.sort(values)[int(np.ceil(q * len(values) / 100)) - 1]
    return found


def violations(found, values):
    return [
        (b.name, b.metric, b.value, values[b.metric])
        for b in found
        if (values[b.metric] < b.value if b.sense == "lower" else values[b.metric] > b.value)
    ]


@settings(max_examples=60)
@given(instances(), st.integers(0, 2**32))
def test_no_random_schedule_beats_a_bound(instance, seed):
    workload, fleet = instance
    found = bounds(workload, fleet)
    for k in range(6):
        first, done = random_schedule(workload, fleet, seed + k)
        assert not violations(found, measured(workload, first, done))


def check_against_optimum(workload, fleet):
    """Bound <= optimum <= random, for each objective."""
    first, done = random_schedule(workload, fleet, 1)
    values = measured(workload, first, done)
    found = bounds(workload, fleet)
    n, slack = len(workload), 1 + 1e-9
    several = int((workload.output_tokens > 1).sum())
    counts = {"latency": n, "ttft": n, "tpot": several}
    for objective, count in counts.items():
        if count:
            metric = f"{objective}_mean_s"
            optimum = best_value(workload, fleet, objective) / count
            assert best_bound(found, metric).value <= optimum <= values[metric] * slack
    makespan = best_value(workload, fleet, "makespan") - workload.arrival_s[0]
    rate = best_bound(found, "throughput_requests_per_s").value
    assert values["throughput_requests_per_s"] / slack <= n / makespan <= rate


@settings(max_examples=60)
@given(st.one_of(instances(most=3, longest=2, sizes=(1, 1, 2)), instances(most=2, longest=3, sizes=(1, 1, 2))))
def test_bound_below_optimum_below_random(instance):
    """On tiny instances every schedule is tried."""
    check_against_optimum(*instance)


@pytest.mark.slow
@settings(max_examples=60)
@given(instances(most=3, longest=3, sizes=(1, 1, 2), spread=2.5))
def test_bound_below_optimum_at_length(instance):
    check_against_optimum(*instance)


@pytest.mark.slow
@settings(max_examples=200)
@given(instances(most=12, longest=25), st.integers(0, 2**32))
def test_no_random_schedule_beats_a_bound_at_length(instance, seed):
    workload, fleet = instance
    first, done = random_schedule(workload, fleet, seed)
    assert not violations(bounds(workload, fleet), measured(workload, first, done))


REFERENCE = Fleet.identical(Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 100_000, 256))


def reference_path(n, rate, seed=0):
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / rate, n))
    return Workload.of(arrivals, rng.integers(50, 951, n), rng.integers(20, 481, n))


def test_what_is_returned():
    found = bounds(reference_path(500, 5.0), REFERENCE)
    for b in found:
        assert b.validity == "pathwise"
        assert b.certified
        assert b.sense == METRICS[b.metric].better.replace("higher", "upper")
        assert b.certificate["relative_tolerance"] == 1e-9
        assert b.value > 0
    metrics = {b.metric for b in found}
    assert {f"{q}_{s}_s" for q in ("latency", "ttft", "tpot") for s in ("mean", "p50", "p90", "p99")} <= metrics
    assert "effective_throughput_tokens_per_s" in metrics


def test_overload_is_seen_by_latency_and_throughput():
    """Ten times the capacity: queueing dominates, and the makespan is the planning LP's."""
    path = reference_path(2000, 120.0)
    found = bounds(path, REFERENCE)
    latency = best_bound(found, "latency_mean_s")
    assert latency.name == "srpt-family"
    assert latency.certificate["split"] == 1.0
    assert latency.value > 20
    rate = best_bound(found, "throughput_requests_per_s").value
    assert rate == pytest.approx(path.rate_per_s / path.load_on(REFERENCE), rel=0.1)


def test_one_token_answers():
    found = bounds(Workload.of([0.0], [3], [1]), REFERENCE)
    assert not [b for b in found if b.metric.startswith(("tpot", "itl", "effective"))]


def test_a_request_that_fits_nowhere_is_refused():
    with pytest.raises(InputError, match=r"request 1 .* 12 KV tokens, .* holds 10"):
        bounds(Workload.of([0, 1], [5, 8], [2, 5]), Fleet.identical(Hardware("gpu", Affine(1.0, 0, 0, 0), 11, 4, 5)))


def test_lone_request_is_exact():
    """With nobody else every bound of the affine model is the optimum."""
    path = Workload.of([2.0], [100], [50])
    found = {b.metric: b.value for b in bounds(path, REFERENCE) if b.name in ("critical-path", "planning-makespan")}
    hw = REFERENCE.hardware.service
    prefill = hw.iteration_s(hw_batch(100))
    decode = hw.decode_curve(1).total(100, 1, 49)
    assert found["ttft_mean_s"] == pytest.approx(prefill, rel=2e-9)
    assert found["latency_mean_s"] == pytest.approx(prefill + decode, rel=2e-9)
    assert found["tpot_p99_s"] == pytest.approx(decode / 49, rel=2e-9)
    assert found["effective_throughput_tokens_per_s"] == pytest.approx(49 / (prefill + decode), rel=2e-9)


def hw_batch(prompt):
    return Batch(prompt_tokens=prompt, chunk_attention=prompt * prompt / 2)


def test_makespan_of_simultaneous_requests_is_the_load_programme():
    """All at once on n instances: the planning time is that of `orsched.load` for the same totals."""
    hw = Hardware("gpu", Hinged(0.01, 1e-5, 1e-5, 1e-7, 64, 5e-5, 1e-9), 5_000, 16)
    path = Workload.of(np.zeros(40), np.full(40, 100), np.full(40, 30))
    terms = load_terms(40.0, path.work, Fleet.identical(hw, 3))
    assert planning_makespan_s(path, Fleet.identical(hw, 3)) == pytest.approx(solve_load(terms), rel=1e-9)


@pytest.mark.slow
def test_a_million_requests():
    """The whole family for a million requests; takes a few seconds."""
    found = bounds(reference_path(1_000_000, 7.0), REFERENCE)
    assert best_bound(found, "latency_mean_s").value > 3
