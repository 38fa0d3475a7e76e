"""No schedule serves more requests within their objective than the pathwise goodput bound."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from instances import REFERENCE, SERVICE_MODELS, build, random_workload, tight_hardware

from fluid.goodput import goodput
from fluid.pathwise.goodput import goodput_bounds
from orsched.bound import best_bound
from orsched.catalogue import Hardware
from orsched.engine.simulation import simulate
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.metrics import measure
from orsched.request import SLO
from orsched.service import Affine, Batch
from orsched.workloads import Workload
from policies import ROUTERS
from tests.support.schedules import instances, random_schedule


def most_on_time(workload, fleet, slo):
    found = goodput_bounds(workload, fleet, slo)
    return best_bound(found, "slo_attainment").certificate["on_time"]


def met_by(workload, first, done, slo):
    steps = workload.output_tokens - 1
    tpot = (done - first) / np.maximum(steps, 1)
    return (first - workload.arrival_s <= slo.ttft_s) & ((tpot <= slo.tpot_s) | (steps == 0))


def objectives_of(workload, first, done):
    """Objectives that the schedule just meets, for each of its requests."""
    tpot = (done - first) / np.maximum(workload.output_tokens - 1, 1)
    for row in range(len(workload)):
        yield SLO(float(first[row] - workload.arrival_s[row]), max(float(tpot[row]), 1e-9))


@settings(max_examples=10)
@given(instances(), st.integers(0, 2**32))
def test_no_random_schedule_has_more_goodput(instance, seed):
    workload, fleet = instance
    first, done = random_schedule(workload, fleet, seed)
    makespan = done.max() - workload.arrival_s[0]
    for slo in objectives_of(workload, first, done):
        met = met_by(workload, first, done, slo)
        found = goodput_bounds(workload, fleet, slo)
        assert best_bound(found, "slo_attainment").value >= met.mean()
        assert best_bound(found, "goodput_requests_per_s").value >= met.sum() / makespan


def best_count(workload, hw, slo):
    """Most requests within the objective over all schedules of a tiny instance on one machine."""
    arrival, inputs, outputs = (c.tolist() for c in (workload.arrival_s, workload.input_tokens, workload.output_tokens))
    slack = 1 + 1e-12
    seen = {}

    def worth(now, state):
        """Most requests that can still meet it; state: (tokens cached, tokens emitted, time of the first)."""
        key = (now, state)
        if key not in seen:
            seen[key] = max((outcome(step) for step in steps(now, state)), default=0)
        return seen[key]

    def outcome(step):
        end, after, met = step
        return met + worth(end, after)

    def steps(now, state):
        for start in sorted({now, *(a for a in arrival if a > now)}):
            for choice in itertools.product(*(options(i, h, start) for i, h in enumerate(state))):
                held, tokens = zip(*choice, strict=True)
                if (
                    any(tokens)
                    and sum(map(bool, tokens)) <= hw.max_num_seqs
                    and sum(held) + sum(map(abs, tokens)) <= hw.kv_capacity_tokens
                ):
                    yield after_iteration(start + hw.service.iteration_s(batch(choice)), state, held, tokens)

    def options(i, h, start):
        """Pairs of what is cached, after an eviction or not, and what is added to it; -1 is a decode."""
        if h is None or arrival[i] > start:
            return [(0, 0)]
        cached, emitted, _ = h
        found = [(c, 0) for c in {0, cached}]
        if emitted and cached == inputs[i] + emitted - 1:
            found.append((cached, -1))
        else:
            found += [(cached, k) for k in range(1, inputs[i] + emitted - cached + 1)]
        if cached:
            found.append((0, inputs[i] + emitted))
        return found

    def batch(choice):
        chunks = [(c, k) for c, k in choice if k > 0]
        reads = [c for c, k in choice if k < 0]
        attention = sum(k * (c + k / 2) for c, k in chunks)
        return Batch(sum(k for _, k in chunks), attention, sum(c for c, _ in chunks), len(reads), sum(reads))

    def after_iteration(end, state, held, choice):
        follow, met = [], 0
        for i, (h, c, k) in enumerate(zip(state, held, choice, strict=True)):
            emitted, first = h[1:] if h else (0, 0.0)
            if k < 0 or (k > 0 and c + k == inputs[i] + emitted):
                emitted, first = emitted + 1, first if emitted else end
            limit = first + (outputs[i] - 1) * slo.tpot_s if emitted else arrival[i] + slo.ttft_s
            late = end > limit * slack and not (emitted == outputs[i] == 1)
            late |= emitted > 0 and first > (arrival[i] + slo.ttft_s) * slack
            if h is None or late or emitted == outputs[i]:
                met += h is not None and not late
                follow.append(None)
            else:
                follow.append((c + abs(k), emitted, first))
        return end, tuple(follow), met

    return worth(0.0, tuple((0, 0, 0.0) for _ in inputs))


tiny = st.one_of(
    instances(most=3, longest=2, sizes=(1,), spread=0.6).filter(lambda i: i[0].output_tokens.sum() <= 4),
    instances(most=2, longest=3, sizes=(1,), spread=0.6).filter(lambda i: i[0].output_tokens.sum() <= 4),
)


def check_against_optimum(instance, seed):
    """Bound >= optimum >= random schedule, in tokens without blocks or reuse."""
    workload, fleet = instance
    hw = replace(fleet.hardware, block_tokens=1, keeps_preempted_kv=False)
    fleet = Fleet.identical(hw)
    first, done = random_schedule(workload, fleet, seed)
    slo = list(objectives_of(workload, first, done))[seed % len(workload)]
    longest = slo.ttft_s + slo.tpot_s * (workload.output_tokens.max() - 1)
    assume(longest < 30 * hw.service.iteration_s(Batch(num_seqs=1)))
    optimum = best_count(workload, hw, slo)
    assert met_by(workload, first, done, slo).sum() <= optimum <= most_on_time(workload, fleet, slo)


@settings(max_examples=30, deadline=None)
@given(tiny, st.integers(0, 2**32))
def test_bound_above_optimum_above_random(instance, seed):
    """On tiny instances every schedule is tried, dropping and eviction included."""
    check_against_optimum(instance, seed)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(tiny, st.integers(0, 2**32))
def test_bound_above_optimum_at_length(instance, seed):
    check_against_optimum(instance, seed)


@pytest.mark.parametrize("policy", ["vllm-v1", "sarathi", "sjf"])
@pytest.mark.parametrize("service", sorted(SERVICE_MODELS))
def test_no_policy_has_more_goodput(policy, service):
    """Goodput and attainment as `measure` reports them; a quarter of the requests or so meets the objective."""
    fleet = Fleet.identical(tight_hardware(SERVICE_MODELS[service], 7, 4), 2)
    path = random_workload(11, n=120)
    run = simulate(path, fleet, build(policy, path, fleet).routed_by(ROUTERS["jsq"]))
    slo = SLO(float(np.quantile(run.ttft_s, 0.5)), 1.1 * measure(run)["tpot_p50_s"])
    values = measure(run, slo)
    for b in goodput_bounds(path, fleet, slo):
        assert b.certified
        assert b.gap(values[b.metric], metric=b.metric, subject=b.subject) >= 0


def test_what_an_overload_leaves():
    """At four times the capacity the bound is near the share of the smallest requests that fit, not one."""
    rng = np.random.default_rng(2)
    fleet = Fleet.identical(REFERENCE)
    path = Workload.of(np.cumsum(rng.exponential(1.0, 2000)), np.full(2000, 500), np.full(2000, 250)).at_load(
        4.0, fleet
    )
    share = best_bound(goodput_bounds(path, fleet, SLO(1.0, 0.05)), "slo_attainment").value
    assert 0.25 < share < 0.32


def test_a_long_path_agrees_with_the_fluid_programme():
    """Short iterations wanted at half load: only some requests can be on time, in the long run and on a path."""
    rng = np.random.default_rng(1)
    fleet, slo = Fleet.identical(REFERENCE), SLO(0.2, 0.014)
    arrivals = np.cumsum(rng.exponential(1.0, 2000))
    lengths = rng.integers(50, 951, 2000), rng.integers(20, 481, 2000)
    path = Workload.of(arrivals, *lengths).at_load(0.6, fleet)
    share = best_bound(goodput_bounds(path, fleet, slo), "slo_attainment").value
    assert share == pytest.approx(goodput(path, fleet, slo).bound.value / path.rate_per_s, abs=0.01)
    assert share < 0.93


def test_monotone_in_the_objective_and_the_fleet():
    rng = np.random.default_rng(4)
    fleet = Fleet.identical(REFERENCE)
    path = Workload.of(np.cumsum(rng.exponential(0.05, 300)), rng.integers(50, 951, 300), rng.integers(20, 481, 300))
    counts = [most_on_time(path, fleet, SLO(0.1 * k, 0.0125 * k)) for k in (1, 2, 4, 8)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    assert most_on_time(path, Fleet.identical(fleet.hardware, 2), SLO(0.2, 0.02)) >= most_on_time(
        path, fleet, SLO(0.2, 0.02)
    )


def test_an_objective_nobody_can_meet():
    """Zero is a bound too."""
    fleet = Fleet.identical(Hardware("gpu", Affine(1.0, 0.1, 0.1, 0.0), 100, 4))
    found = goodput_bounds(Workload.of([0.0, 1.0], [5, 5], [3, 3]), fleet, SLO(1.0, 1.0))
    assert [b.value for b in found] == [0.0, 0.0]


def test_a_request_that_fits_nowhere_is_refused():
    with pytest.raises(InputError, match="no policy completes it"):
        goodput_bounds(
            Workload.of([0.0], [50], [30]), Fleet.identical(Hardware("gpu", Affine(1.0, 0, 0, 0), 60, 4)), SLO(1.0, 1.0)
        )
