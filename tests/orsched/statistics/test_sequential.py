"""Replicating until precise enough."""

import numpy as np
import pytest

from orsched.statistics.estimate import Estimate, estimate
from orsched.statistics.sequential import expected_replications, replicate_until
from orsched.statistics.stop_rule import StopRule


def test_it_stops_at_the_first_precise_enough():
    """Claim: the result is precise enough, and no number of replications before it was."""
    values = np.random.default_rng(1).normal(10.0, 2.0, 1000)
    rule = StopRule(0.03, least=10, most=1000)
    found = replicate_until(rule, lambda number: values[number])
    assert rule.reached(found)
    assert found == estimate(values[: found.n])
    assert not any(rule.reached(estimate(values[:n])) for n in range(10, found.n))


def test_each_replication_is_asked_for_once_in_order():
    """Claim: numbers 0, 1, 2, ... and no more than the most."""
    asked = []

    def observe(number):
        asked.append(number)
        return float(number % 2)

    found = replicate_until(StopRule(0.01, least=2, most=7), observe)
    assert asked == list(range(7))
    assert found.n == 7


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (Estimate(10.0, 1.0, 10), 40),
        (Estimate(10.0, 0.4, 10), 10),
        (Estimate(10.0, 0.501, 10), 11),
        (Estimate(10.0, 1.0, 4), 16),
        (Estimate(10.0, 9.0, 10), 100),
        (Estimate(10.0, None, 1), 100),
        (Estimate(0.0, 1.0, 20), 100),
        (Estimate(1e-200, 1.0, 20), 100),
    ],
)
def test_forecast(current, expected):
    """Claim: the number grows with the square of the width over the target, within the rule's limits."""
    assert expected_replications(StopRule(0.05, least=10, most=100), current) == expected
