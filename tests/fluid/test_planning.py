"""The planning LP: equal to the load axis, to other solvers, and monotone."""

from dataclasses import replace

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid import ClassRate, capacity, pathwise_capacity, planned_load
from fluid.demand import Rates
from fluid.pathwise.minorants import sound_minorants
from fluid.planning import planning_programme
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.load import load
from orsched.service import Affine, Hinged
from orsched.work import RequestWork
from orsched.workloads import Workload
from tests.support.schedules import instances, random_schedule, service_models

types = st.lists(st.tuples(st.floats(0.01, 3), st.integers(1, 300), st.integers(1, 100)), min_size=1, max_size=5).map(
    lambda rows: [ClassRate(*row) for row in rows]
)
hardware = st.builds(
    Hardware,
    st.just("gpu"),
    service_models(),
    st.integers(400, 20_000),
    st.integers(1, 300),
)


@given(types, hardware, st.integers(1, 4))
def test_planned_load_is_the_load_axis(classes, hw, size):
    """The LP and the closed form agree wherever recomputation is no cheaper than decoding."""
    fleet = Fleet.identical(hw, size)
    classes = [ClassRate(1.5, c.input_tokens, c.output_tokens) for c in classes]
    work = Rates.of(classes).work
    axis = load(1.5 * len(classes), work, fleet)
    planned = planned_load(classes, fleet)
    if sound_minorants(hw, int(work.prompt_tokens.min())) == hw.service.affine_minorants():
        assert planned == pytest.approx(axis, rel=1e-9)
    else:
        assert planned <= axis * (1 + 1e-9)


@pytest.mark.parametrize(
    "service",
    [Affine(0.012, 60e-6, 50e-6, 0.12e-6), Affine.wait(0.01, 4e-7), Hinged(0.01, 60e-6, 2e-6, 1e-7, 256, 50e-6, 1e-9)],
)
def test_planned_load_of_a_workload(service):
    rng = np.random.default_rng(3)
    work = Workload.of(np.sort(rng.uniform(0, 60, 300)), rng.integers(50, 900, 300), rng.integers(2, 400, 300))
    fleet = Fleet.identical(Hardware("gpu", service, 40_000, 64), 2)
    assert planned_load(work, fleet) == pytest.approx(work.load_on(fleet), rel=1e-9)


def test_published_single_class_limit():
    """For d0 + d1 KV the largest rate is C / (S (d0 + d1 C))."""
    d0, d1, C = 0.01, 4e-7, 50_000
    S = 21 * (512 + 10)
    found = capacity([ClassRate(1.0, 512, 21)], Fleet.identical(Hardware("gpu", Affine.wait(d0, d1), C, 10**6)))
    assert found.max_rate_per_s == pytest.approx(C / (S * (d0 + d1 * C)), rel=1e-9)


@settings(max_examples=60)
@given(types, hardware, st.integers(1, 3), st.sampled_from([None, 64]))
def test_capacity_equals_an_independent_model(classes, hw, size, budget):
    """cvxpy writes the same programme from the formulas; both optima agree and the bound is certified."""
    fleet = Fleet.identical(hw, size)
    classes = [replace(c, rate_per_s=20 * c.rate_per_s) for c in classes]
    found = capacity(classes, fleet, token_budget=budget)
    X, N = cvxpy.Variable(len(classes), nonneg=True), cvxpy.Variable(nonneg=True)
    prompt = np.array([c.input_tokens for c in classes], float)
    o = np.array([c.output_tokens for c in classes], float)
    v = np.array([sum(c.input_tokens + k for k in range(c.output_tokens - 1)) for c in classes], float)
    m = np.array([sum(c.input_tokens + k for k in range(c.output_tokens)) for c in classes], float)
    limits = [[c.rate_per_s for c in classes] >= X, (m / hw.kv_capacity_tokens) @ X <= N]
    limits.append((o / hw.max_num_seqs) @ X <= N)
    if budget:
        limits.append((prompt / budget) @ X <= N)
    for t in sound_minorants(hw, int(prompt.min())):
        work = (
            t.prompt_token_s * prompt
            + t.sequence_s * (o - 1)
            + t.kv_token_s * v
            + t.chunk_attention_s * prompt * prompt / 2
        )
        limits.append(work @ X + t.base_s * N <= size)
    other = cvxpy.Problem(cvxpy.Maximize((o - 1) @ X), limits)
    other.solve(solver=cvxpy.HIGHS)
    assert found.bound.value == pytest.approx(other.value, rel=1e-6, abs=1e-9)
    assert found.bound.certified
    assert found.bound.value >= (o - 1) @ found.completions_per_s * (1 - 1e-9)


@settings(max_examples=60)
@given(types, hardware, st.integers(1, 3))
def test_capacity_is_monotone(classes, hw, size):
    def value(classes=classes, size=size, **changes):
        return capacity(classes, Fleet.identical(replace(hw, **changes), size)).bound.value

    base, slack = value(), 1 + 1e-9
    assert value(kv_capacity_tokens=2 * hw.kv_capacity_tokens) * slack >= base
    assert value(max_num_seqs=hw.max_num_seqs + 1) * slack >= base
    assert value(size=size + 1) * slack >= base
    assert value([replace(c, rate_per_s=2 * c.rate_per_s) for c in classes]) * slack >= base


def test_capacity_at_load_below_and_above_one():
    """Below load one all that is offered is served; above it prices say what is short."""
    fleet = Fleet.identical(Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 100_000, 256))
    light = capacity([ClassRate(1.0, 500, 250)], fleet)
    assert light.load < 1
    assert light.bound.value == pytest.approx(249.0)
    heavy = capacity([ClassRate(50.0, 500, 250)], fleet)
    assert heavy.load > 1
    assert heavy.bound.value == pytest.approx(249.0 * heavy.max_rate_per_s)
    assert heavy.prices["time-0"] > 0


@settings(max_examples=150)
@given(instances(), st.integers(0, 2**32), st.floats(0.1, 20))
def test_no_schedule_completes_more_by_the_horizon(instance, seed, horizon):
    workload, fleet = instance
    bound = pathwise_capacity(workload, fleet, horizon)
    for k in range(3):
        _, done = random_schedule(workload, fleet, seed + k)
        in_time = done <= workload.arrival_s[0] + horizon
        assert (workload.output_tokens - 1)[in_time].sum() <= bound.value


def test_pathwise_weights():
    workload = Workload.of([0, 0], [4, 4], [3, 3])
    fleet = Fleet.identical(Hardware("gpu", Affine(1.0, 0.0, 0.0, 0.0), 100, 1))
    bound = pathwise_capacity(workload, fleet, 3.0, weights=np.array([2.0, 5.0]), metric="worth")
    assert bound.metric == "worth"
    assert bound.value == pytest.approx(5.0)
    assert pathwise_capacity(workload, fleet, 2.9).value == 0


def test_programme_rows():
    work = RequestWork.of(np.array([3]), np.array([2]))
    hw = Hardware("gpu", Hinged(1.0, 0.1, 0.1, 0.1, 2.0, 0.5), 10, 4)
    lp = planning_programme(work, np.ones(1), np.ones(1), Fleet.identical(hw, 2), horizon_s=5.0, token_budget=6)
    assert lp.rows == ("time-0", "time-1", "memory", "seats", "budget")
    assert lp.rhs.tolist() == [10.0, 10.0, 0, 0, 0]
    assert lp.matrix[:, 1] == pytest.approx([1.0, 0.0, -1, -1, -1])
    assert lp.matrix[2:, 0] == pytest.approx([7 / 10, 2 / 4, 3 / 6])


@pytest.mark.slow
def test_a_hundred_thousand_columns():
    """Solved and certified; the certificate is within rounding of the solver's claim."""
    rng = np.random.default_rng(0)
    n = 100_000
    workload = Workload.of(np.cumsum(rng.exponential(1 / 7, n)), rng.integers(50, 951, n), rng.integers(20, 481, n))
    fleet = Fleet.identical(Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 100_000, 256))
    bound = pathwise_capacity(workload, fleet, 4_000.0)
    assert bound.certificate["status"] == "optimal"
    assert bound.value < (workload.output_tokens - 1).sum()
