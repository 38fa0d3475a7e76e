"""The bounds of a path hold for fleets that split the phases, move requests, break and are repaired."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_fleets import random_case

import fluid
from orsched import measure

cases = st.integers(0, 10**6).map(random_case)


def assert_holds(case):
    run = case.run()
    found = measure(run)
    bounds = fluid.bounds(case.workload, case.fleet)
    assert bounds
    for bound in bounds:
        if bound.metric not in found:
            continue
        value = found[bound.metric]
        slack = 1e-9 * max(abs(value), 1.0)
        beaten = value < bound.value - slack if bound.sense == "lower" else value > bound.value + slack
        assert not beaten, (bound.name, bound.metric, bound.value, value)


@settings(max_examples=25, deadline=None)
@given(cases)
def test_no_fleet_beats_the_bounds_of_identical_instances(case):
    """Claim: hand-offs, staged migrations, deaths and retained KV never beat a pathwise bound for as many identical
    instances: they only take time, memory and repeated work."""
    assert_holds(case)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(cases)
def test_many_fleets_beat_no_bound(case):
    """Claim: the same, many times over."""
    assert_holds(case)
