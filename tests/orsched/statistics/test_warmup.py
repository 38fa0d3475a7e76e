"""Warm-up rules leave out what they say, and MSER-5 finds the end of a transient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched.errors import InputError, UnknownNameError
from orsched.statistics.warmup import RULES, WarmUp, warm_up


def direct_mser5(values):
    """MSER-5 as it is written down, one truncation after the other."""
    k = len(values) // 5
    means = np.array([np.mean(values[5 * j : 5 * j + 5]) for j in range(k)])
    errors = [np.sum((means[d:] - means[d:].mean()) ** 2) / (k - d) ** 2 for d in range(k // 2 + 1)]
    return int(np.argmin(errors)) * 5, errors


@given(st.lists(st.integers(-1000, 1000), min_size=20, max_size=300))
def test_mser5_is_its_definition(values):
    """The fast form finds a truncation whose error is the least of the definition's."""
    found = warm_up(values)
    _, errors = direct_mser5(values)
    assert found.skip % 5 == 0
    assert errors[found.skip // 5] == pytest.approx(min(errors), rel=1e-6, abs=1e-6)


def test_mser5_removes_a_transient():
    """After a transient of 200 observations, MSER-5 leaves out at least 150, and 300 in the median."""
    rng = np.random.default_rng(0)
    decay = np.maximum(0.0, 1 - np.arange(2000) / 200) * 20
    skips = [warm_up(decay + rng.normal(size=2000)).skip for _ in range(100)]
    assert min(skips) >= 150
    assert np.median(skips) <= 300


def test_mser5_keeps_a_stationary_series():
    """Of white noise the median series keeps at least three quarters, and most are called settled."""
    rng = np.random.default_rng(1)
    found = [warm_up(rng.normal(size=1000)) for _ in range(100)]
    assert np.median([f.skip for f in found]) <= 250
    assert np.mean([f.settled for f in found]) > 0.9


def test_large_offsets_do_not_disturb():
    """The truncation is the same when the series is shifted by a million."""
    rng = np.random.default_rng(2)
    series = np.concatenate([np.linspace(5, 0, 100), np.zeros(400)]) + rng.normal(size=500)
    assert warm_up(series + 1e6) == warm_up(series)


def test_growing_series_is_not_settled():
    """A series that keeps growing, or is too short for four batches, is reported as unsettled."""
    assert not warm_up(np.arange(1000.0)).settled
    assert warm_up(np.arange(19.0)) == WarmUp("mser-5", 0, settled=False)


@pytest.mark.parametrize(("rule", "skip"), [("none", 0), ("fixed-10%", 20), ("fixed-0%", 0), ("fixed-33%", 67)])
def test_fixed_rules(rule, skip):
    """Fixed rules leave out their share, rounded down."""
    assert warm_up(np.arange(205.0), rule) == WarmUp(rule, skip)


@pytest.mark.parametrize("rule", RULES)
def test_every_listed_rule_works(rule):
    """Every listed name is a rule, and stands in the result."""
    assert warm_up(np.ones(100), rule).rule == rule


@pytest.mark.parametrize("rule", ["mser5", "fixed", "fixed-100%", "fixed--5%", ""])
def test_unknown_rules_are_refused(rule):
    """A name that is no rule is refused."""
    with pytest.raises(UnknownNameError):
        warm_up([1.0, 2.0], rule)


@pytest.mark.parametrize(("values", "rule"), [([], "none"), ([1.0, np.inf], "mser-5"), ([1.0], "fixed-91%")])
def test_bad_input(values, rule):
    """Nothing to truncate, or nothing left, is refused."""
    with pytest.raises(InputError):
        warm_up(values, rule)
