"""No schedule beats a bound, and the bounds are what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid import bounds, subject
from fluid.makespan import planning_makespan_s
from orsched.bound import best_bound
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.metrics import METRICS
from orsched.service import Affine, Hinged
from orsched.workloads import Workload
from tests.fluid.schedules import best_value, instances, random_schedule


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


def violations(workload, fleet, values):
    return [
        (b.name, b.metric, b.value, values[b.metric])
        for b in bounds(workload, fleet)
        if (values[b.metric] < b.value if b.sense == "lower" else values[b.metric] > b.value)
    ]


@settings(max_examples=600)
@given(instances(), st.integers(0, 2**32))
def test_no_random_schedule_beats_a_bound(instance, seed):
    workload, fleet = instance
    for k in range(5):
        first, done = random_schedule(workload, fleet, seed + k)
        assert not violations(workload, fleet, measured(workload, first, done))


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


@settings(max_examples=300)
@given(st.one_of(instances(most=3, longest=2, sizes=(1, 1, 2)), instances(most=2, longest=3, sizes=(1, 1, 2))))
def test_bound_below_optimum_below_random(instance):
    """On tiny instances every schedule is tried."""
    check_against_optimum(*instance)


@pytest.mark.slow
@settings(max_examples=300)
@given(instances(most=3, longest=3, sizes=(1, 1, 2), spread=2.5))
def test_bound_below_optimum_at_length(instance):
    check_against_optimum(*instance)


@pytest.mark.slow
@settings(max_examples=5000)
@given(instances(most=12, longest=25), st.integers(0, 2**32))
def test_no_random_schedule_beats_a_bound_at_length(instance, seed):
    workload, fleet = instance
    first, done = random_schedule(workload, fleet, seed)
    assert not violations(workload, fleet, measured(workload, first, done))
