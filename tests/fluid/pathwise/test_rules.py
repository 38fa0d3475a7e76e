"""Every rule, not only the best one, counts at least as many requests on time as any schedule achieves."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import REFERENCE, build

from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.deadlines import Deadlines
from fluid.pathwise.latency import Choice
from fluid.pathwise.minorants import sound_minorants, standalone
from fluid.pathwise.relay import Relay
from fluid.pathwise.rules import rules
from fluid.pathwise.sharing import Sharing
from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.objectives import Objectives
from orsched.request import SLO
from orsched.workloads import Workload
from tests.support.schedules import instances, random_schedule

weights = st.sampled_from([0.0, 0.3, 1.0])
FLEET = Fleet.identical(REFERENCE)
MINORANT = REFERENCE.service.affine_minorants()[0]


def every_rule(workload, fleet, seats, pace, reach):
    mixtures = standalone(sound_minorants(fleet.hardware, int(workload.input_tokens.min())))
    for m in mixtures:
        yield Sharing(Choice(m, seats, 1.0), pace if m.base_s > 0 else 0.0)
        if m.base_s > 0:
            yield from (Relay(m, r, t, reach, q) for r, t, q in product((2, 3, 6), (0, 1, 2), (0.7, 1.0, 1.7, 4.0)))


def kinds(workload, fleet, first, done, pick):
    """Deadlines that the schedule just meets for one of its requests, and how many it meets them for."""
    paths = CriticalPaths.of(workload, fleet)
    row = pick % len(workload)
    steps = workload.output_tokens - 1
    ttft, latency = first - workload.arrival_s, done - workload.arrival_s
    tpot = (done - first) / np.maximum(steps, 1)
    slo = SLO(float(ttft[row]), max(float(tpot[row]), 1e-9))
    met = (ttft <= slo.ttft_s) & ((tpot <= slo.tpot_s) | (steps == 0))
    yield Deadlines.first_token(workload, fleet, paths, float(ttft[row])), np.sum(ttft <= ttft[row])
    yield Deadlines.completion(workload, fleet, paths, float(latency[row])), np.sum(latency <= latency[row])
    yield Deadlines.objective(workload, fleet, paths, Objectives.same(slo, len(workload))), np.sum(met)


def check(instance, seed, seats, pace, reach):
    workload, fleet = instance
    for k in range(3):
        first, done = random_schedule(workload, fleet, seed + k)
        for deadlines, met in kinds(workload, fleet, first, done, seed):
            for rule in every_rule(workload, fleet, seats, pace, reach):
                assert rule.most_on_time(deadlines) >= met, rule


@settings(max_examples=12)
@given(instances(), st.integers(0, 2**32), weights, weights, st.sampled_from([0.2, 0.7, 1.0]))
def test_no_random_schedule_serves_more_on_time(instance, seed, seats, pace, reach):
    """Limits taken from the schedule itself, so that its own times are just within them."""
    check(instance, seed, seats, pace, reach)


@pytest.mark.slow
@settings(max_examples=150)
@given(instances(most=14, longest=20), st.integers(0, 2**32), weights, weights, st.sampled_from([0.2, 0.7, 1.0]))
def test_no_random_schedule_serves_more_on_time_at_length(instance, seed, seats, pace, reach):
    check(instance, seed, seats, pace, reach)


def reference_path(n, rate, seed=0):
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / rate, n))
    return Workload.of(arrivals, rng.integers(50, 951, n), rng.integers(20, 481, n))


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("policy", ["vllm-v1", "sjf"])
def test_no_policy_serves_more_on_time(even, policy):
    """Long runs without waste, where the counts come close; limits at the run's own quantiles."""
    path = reference_path(1000, 1.0)
    if even:
        path = Workload.of(np.arange(1000.0), np.full(1000, 10), np.full(1000, 300))
    path = path.at_load(0.5, FLEET)
    run = simulate(path, FLEET, build(policy, path, FLEET))
    paths = CriticalPaths.of(path, FLEET)
    closest = len(path)
    for quantile, rule in product((0.1, 0.5, 0.9, 0.99), rules(path, FLEET)):
        for kind, times in ((Deadlines.completion, run.latency_s), (Deadlines.first_token, run.ttft_s)):
            limit = float(np.quantile(times, quantile, method="inverted_cdf"))
            count = rule.most_on_time(kind(path, FLEET, paths, limit))
            assert count >= np.sum(times <= limit), rule
        shorter = rule.most_on_time(Deadlines.completion(path, FLEET, paths, 0.95 * float(np.max(run.latency_s))))
        closest = min(closest, shorter)
    assert not even or closest < 995


@pytest.mark.parametrize("rate", [4.0, 9.0, 20.0])
def test_longer_limits_and_more_machines_serve_no_fewer(rate):
    """Each count grows, but for the cut into blocks and slots, with the limit, the memory and the fleet."""
    path, fleet = reference_path(400, rate), FLEET
    more = replace(fleet.hardware, kv_capacity_tokens=2 * fleet.hardware.kv_capacity_tokens)
    rule = Sharing(Choice(MINORANT, 0.0, 1.0), 0.5)

    def count(fleet, limit):
        return rule.most_on_time(Deadlines.completion(path, fleet, CriticalPaths.of(path, fleet), limit))

    counts = [count(fleet, limit) for limit in (2.0, 4.0, 6.0, 8.0, 20.0)]
    assert counts == sorted(counts)
    assert count(Fleet.identical(fleet.hardware, 2), 6.0) >= count(fleet, 6.0)
    assert count(Fleet.identical(more, fleet.size), 6.0) >= count(fleet, 6.0)


def test_a_long_answer_forces_short_iterations_on_all():
    """At load 0.9 the relay proves that some requests are late where no sharing does."""
    path = reference_path(2000, 1.0).at_load(0.9, FLEET)
    deadlines = Deadlines.completion(path, FLEET, CriticalPaths.of(path, FLEET), 7.5)
    shared = min(Sharing(Choice(MINORANT, 0.0, 1.0), pace).most_on_time(deadlines) for pace in (0.0, 0.5, 1.0))
    relayed = min(Relay(MINORANT, 8, 0, 1.0, worth).most_on_time(deadlines) for worth in (1.5, 2.0, 3.0))
    assert relayed < 1970 < shared


def test_nothing_possible():
    """Limits below the critical path of every request."""
    path = reference_path(5, 1.0)
    deadlines = Deadlines.completion(path, FLEET, CriticalPaths.of(path, FLEET), 1e-3)
    assert Sharing(Choice(MINORANT, 0.5, 1.0), 0.5).most_on_time(deadlines) == 0
    assert Relay(MINORANT, 4, 2, 1.0, 2.0).most_on_time(deadlines) == 0
