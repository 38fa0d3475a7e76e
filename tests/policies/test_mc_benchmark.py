"""MC-Benchmark against its rule round by round."""

import numpy as np
import pytest
from instances import SERVICE_MODELS, random_workload, tight_hardware
from round_rules import columns, law_of_the_paper, served, small_instance, start_rounds

from fluid.hindsight import RoundInstance, simple_bound
from orsched import Fleet, simulate
from policies.mc_benchmark import mc_benchmark


def by_arrival(queue, outputs):
    return queue


@pytest.mark.parametrize("burst", [True, False])
def test_schedules_are_the_rules(burst):
    """Claim: with rounds of unit time, starts and completions equal the rule as printed, on 30 instances of each of the
    paper's synthetic laws; and total latency is at least the bounds."""
    for seed in range(30):
        capacity, arrivals, prompts, outputs = law_of_the_paper(seed, burst)
        instance = RoundInstance.of(arrivals, prompts, outputs, capacity)
        run = served(instance, mc_benchmark())
        expected = start_rounds(*columns(instance), capacity, order=by_arrival)
        np.testing.assert_array_equal(run.first_scheduled_s, expected)
        np.testing.assert_array_equal(run.completion_s, np.array(expected) + outputs)
        assert run.latency_s.sum() >= simple_bound(instance)


@pytest.mark.parametrize("seed", range(20))
def test_starts_in_order_of_arrival_and_never_preempts(seed):
    """Claim: nobody overtakes at the start, whatever the service model and block size, and nobody is preempted."""
    fleet = Fleet.identical(tight_hardware(list(SERVICE_MODELS.values())[seed % 3], seed, (1, 16)[seed % 2]))
    run = simulate(random_workload(seed), fleet, mc_benchmark(), check=True)
    assert (np.diff(run.first_scheduled_s) >= 0).all()
    assert run.preemptions.sum() == 0


def test_small_instances_start_in_order_of_arrival():
    """Claim: in unit rounds too."""
    for seed in range(10):
        assert (np.diff(served(small_instance(seed, False), mc_benchmark()).first_scheduled_s) >= 0).all()
