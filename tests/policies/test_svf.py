"""Smallest volume first against its rule round by round."""

import numpy as np
import pytest
from instances import SERVICE_MODELS, random_workload, tight_hardware
from round_rules import columns, law_of_the_paper, served, svf_rounds

from fluid.hindsight import RoundInstance, simple_bound
from orsched import Fleet, Hardware, Workload, simulate
from policies.svf import svf


@pytest.mark.parametrize("burst", [True, False])
def test_schedules_are_the_rules(burst):
    """Claim: with rounds of unit time, starts and completions equal the rule, and total latency is at least the bounds,
    on 40 instances of each of the synthetic laws of the MC-SF paper."""
    for seed in range(40):
        capacity, arrivals, prompts, outputs = law_of_the_paper(seed, burst)
        instance = RoundInstance.of(arrivals, prompts, outputs, capacity)
        run = served(instance, svf())
        expected = svf_rounds(*columns(instance), capacity)
        np.testing.assert_array_equal(run.first_scheduled_s, expected)
        np.testing.assert_array_equal(run.completion_s, np.array(expected) + outputs)
        assert run.latency_s.sum() >= simple_bound(instance)


@pytest.mark.parametrize("seed", range(20))
def test_never_preempts(seed):
    """Claim: reserved peaks mean no preemption, whatever the service model and block size."""
    fleet = Fleet.identical(tight_hardware(list(SERVICE_MODELS.values())[seed % 3], seed, (1, 16)[seed % 2]))
    assert simulate(random_workload(seed), fleet, svf(), check=True).preemptions.sum() == 0


def test_volume_decides_and_not_length():
    """Claim: by hand. A prompt of 30 with 3 outputs holds 30 + 31 + 32 = 93 token-iterations, one of 2 with 10 outputs
    2 + ... + 11 = 65; so the longer output goes first where memory has room for one of them at a time."""
    fleet = Fleet.identical(Hardware("hand", SERVICE_MODELS["affine"], 35, 8))
    run = simulate(Workload.of([0.0, 0.0], [30, 2], [3, 10]), fleet, svf())
    assert run.first_scheduled_s[1] == 0
    assert run.first_scheduled_s[0] == run.completion_s[1]
