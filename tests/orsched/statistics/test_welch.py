"""Welch's average is its definition, and the halves differ when something still changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched.errors import InputError
from orsched.statistics.welch import halves, welch


@given(st.integers(1, 4), st.integers(4, 60), st.data())
def test_moving_average_is_its_definition(count, n, data):
    """Claim: element i averages the 2 w + 1 means about it, 2 i + 1 near the start (Welch 1983)."""
    window = data.draw(st.integers(0, n // 4))
    rows = np.random.default_rng(n).normal(size=(count, n))
    means = rows.mean(axis=0)
    reach = [min(i, window) for i in range(n - window)]
    expected = [means[i - r : i + r + 1].mean() for i, r in enumerate(reach)]
    np.testing.assert_allclose(welch(list(rows), window), expected, atol=1e-12)


def test_a_transient_is_seen_and_can_be_left_out():
    """Claim: a decay over the first tenth is a change of the halves, and none after it is left out."""
    rng = np.random.default_rng(1)
    decay = 20 * np.maximum(0.0, 1 - np.arange(1000) / 100)
    paths = [decay + rng.normal(size=1000) for _ in range(20)]
    assert halves(paths).steady is False
    assert "not steady" in halves(paths).reason
    assert halves(paths).change.mean < 0
    assert halves(paths, skip=100).steady is True


def test_level():
    """Claim: of stationary correlated paths 5% are called unsteady (3% to 7% of 1000: 2.9 standard errors)."""
    rng = np.random.default_rng(2)
    calls = []
    for _ in range(1000):
        paths = rng.normal(size=(10, 60)).cumsum(axis=1)
        paths -= np.linspace(0, 1, 60) * paths[:, -1:]  # bridges: correlated, the halves alike
        calls.append(halves(list(paths)).steady)
    assert 0.03 <= 1 - np.mean(calls) <= 0.07


def test_odd_lengths_and_one_path():
    """Claim: the middle observation of an odd length is in neither half; one path has no verdict."""
    found = halves([np.arange(21.0)])
    assert (found.first.mean, found.second.mean, found.change.mean) == (4.5, 15.5, 11.0)
    assert found.steady is None
    assert "undecided" in found.reason


def test_rounding_is_no_trend():
    """Claim: halves that hold the same numbers in another order do not differ."""
    numbers = np.arange(1, 21) / 10
    for second in (numbers[::-1], np.random.default_rng(0).permutation(numbers)):
        found = halves([np.concatenate([numbers, second])] * 5)
        assert (found.steady, found.change.mean) == (True, 0.0)


def test_small_values_behind_a_large_one_are_kept():
    """Claim: the average does not cancel."""
    found = welch([np.concatenate([[1e17], np.ones(99)])], 2)
    assert (found[3:] == 1.0).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: welch([], 0),
        lambda: welch([[]], 0),
        lambda: welch([np.arange(8.0)], 3),
        lambda: welch([np.arange(8.0)], -1),
        lambda: welch([np.arange(99.0)], 2.5),
        lambda: welch([np.full(9, 1.7e308)] * 2, 0),
        lambda: welch([np.array([1.0, np.nan])], 0),
        lambda: halves([np.arange(19.0)] * 2),
        lambda: halves([np.arange(40.0)] * 2, skip=21),
        lambda: halves([np.arange(40.0)] * 2, skip=40),
    ],
)
def test_bad_input(call):
    """Claim: no path, no observation, a window or a skip that does not fit: refused."""
    with pytest.raises(InputError):
        call()
