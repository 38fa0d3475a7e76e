"""Estimates: the interval is Student's, prints with sensible digits, and covers at its level."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched.errors import InputError
from orsched.statistics.estimate import Estimate, batch_means, estimate, paired_difference
from orsched.statistics.stop_rule import StopRule

numbers = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(("n", "quantile"), [(2, 12.7062), (5, 2.7764), (20, 2.0930), (121, 1.9799)])
def test_student_quantiles(n, quantile):
    """The half-width is the tabulated t quantile times the standard error."""
    values = np.arange(n, dtype=float)
    error = values.std(ddof=1) / math.sqrt(n)
    assert estimate(values).half_width == pytest.approx(quantile * error, rel=1e-4)
    assert estimate(values).mean == pytest.approx((n - 1) / 2)


def test_one_value_has_no_interval():
    """One observation gives a mean, no half-width, and covers nothing."""
    one = estimate([4.06])
    assert one == Estimate(4.06, None, 1)
    assert str(one) == "4.06 (n=1)"
    assert one.relative_half_width is None
    assert not one.contains(4.06)


@pytest.mark.parametrize(
    ("mean", "half_width", "text"),
    [
        (4.0612, 0.1234, "4.06 ± 0.12"),
        (4.06, 0.0996, "4.06 ± 0.10"),
        (4.0612, 0.0996, "4.06 ± 0.10"),
        (4.06, 1.26, "4.1 ± 1.3"),
        (1234.5, 41.0, "1234 ± 41"),
        (1234.6, 410.0, "1235 ± 410"),
        (-0.00123456, 0.0000123, "-0.001235 ± 0.000012"),
        (5.0, 0.0, "5 ± 0"),
        (1.5e-20, 2e-21, "1.500e-20 ± 2.000e-21"),
    ],
)
def test_text(mean, half_width, text):
    """Two significant digits of the half-width decide the digits of both."""
    assert str(Estimate(mean, half_width, 20)) == text


def test_format():
    """A format applies to both numbers."""
    assert f"{Estimate(4.0612, 0.1234, 20):.3f}" == "4.061 ± 0.123"
    assert f"{Estimate(4.0612, None, 1):.1f}" == "4.1 (n=1)"


@given(st.lists(numbers, min_size=2, max_size=30), st.floats(0.1, 10), numbers)
def test_scaling_and_shifting(values, scale, shift):
    """Changing the unit changes mean and interval with it; constants move the mean only."""
    plain, moved = estimate(values), estimate(scale * np.array(values) + shift)
    size = scale * max(map(abs, values)) + abs(shift) + 1
    assert moved.mean == pytest.approx(scale * plain.mean + shift, abs=1e-9 * size)
    assert moved.half_width == pytest.approx(scale * plain.half_width, abs=1e-7 * size)


def test_higher_level_is_wider():
    """More confidence needs more width."""
    widths = [estimate([1.0, 2.0, 4.0], level).half_width for level in (0.5, 0.9, 0.95, 0.99)]
    assert widths == sorted(widths)


def test_coverage():
    """95% intervals from 5 normal values cover the mean in 94% to 96% of 10,000 trials.

    The standard error of the coverage is 0.22%: a correct interval fails with probability 0.0005%.
    """
    samples = np.random.default_rng(1).normal(3.0, 2.0, (10_000, 5))
    assert 0.94 <= np.mean([estimate(row).contains(3.0) for row in samples]) <= 0.96


def test_pairing_removes_common_noise():
    """Differences on common sample paths have the interval of the differences, not of the two means."""
    rng = np.random.default_rng(2)
    path = rng.exponential(10.0, 20)
    ours, theirs = path + 1.0 + rng.normal(0, 0.01, 20), path
    difference = paired_difference(ours, theirs)
    assert difference.contains(1.0)
    assert difference.half_width < 0.02 < estimate(ours).half_width
    assert paired_difference(theirs, ours).mean == -difference.mean


@given(st.lists(numbers, min_size=2, max_size=100), st.data())
def test_batch_means_average_back(values, data):
    """Batch means average to the mean of the values kept; at most the first few are left out."""
    batches = data.draw(st.integers(2, len(values)))
    means = batch_means(values, batches)
    kept = values[len(values) % batches :]
    assert means.shape == (batches,)
    assert means.mean() == pytest.approx(np.mean(kept), abs=1e-6)
    assert means[-1] == pytest.approx(np.mean(kept[-(len(kept) // batches) :]), abs=1e-6)


def test_batch_means_of_a_correlated_series():
    """Intervals from 20 batch means of an autoregressive series cover its mean in 92% to 97% of 1000 trials.

    The standard error of the coverage is 0.7%: intervals of exactly 95% would fail with probability 0.2%. The
    plain interval, which ignores the correlation, covers less than half of the time.
    """
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(1000, 4000))
    series = np.empty_like(noise)
    series[:, 0] = noise[:, 0] / math.sqrt(1 - 0.9**2)
    for t in range(1, 4000):
        series[:, t] = 0.9 * series[:, t - 1] + noise[:, t]
    covered = np.mean([estimate(batch_means(row)).contains(0.0) for row in series])
    assert 0.92 <= covered <= 0.97
    assert np.mean([estimate(row).contains(0.0) for row in series]) < 0.5


def test_stop_rule():
    """Replications go on until the interval is narrow enough, within the limits on their number."""
    rule = StopRule(0.05, least=3, most=8)
    assert not rule.done(Estimate(10.0, 0.1, 2))
    assert rule.done(Estimate(10.0, 0.5, 3))
    assert rule.done(Estimate(-10.0, 0.5, 3))
    assert not rule.done(Estimate(10.0, 0.51, 7))
    assert rule.done(Estimate(10.0, 0.51, 8))
    assert not rule.reached(Estimate(10.0, 0.51, 8))
    assert not rule.reached(Estimate(10.0, None, 9))
    assert not rule.reached(Estimate(0.0, 0.1, 5))
    assert rule.reached(Estimate(0.0, 0.0, 5))


@pytest.mark.parametrize(
    "call",
    [
        lambda: estimate([]),
        lambda: estimate([1.0, math.nan]),
        lambda: estimate([1.0, 2.0], level=1.0),
        lambda: paired_difference([1.0, 2.0], [1.0]),
        lambda: batch_means([1.0, 2.0], 1),
        lambda: batch_means([1.0, 2.0], 3),
        lambda: StopRule(relative_half_width=0.0),
        lambda: StopRule(relative_half_width=math.nan),
        lambda: StopRule(least=1),
        lambda: StopRule(least=5, most=4),
        lambda: StopRule(least=2.5),
        lambda: StopRule(most=math.inf),
        lambda: estimate([1e200, 2e200, 3e200]),
        lambda: estimate([1.7e308, 1.7e308]),
    ],
)
def test_bad_input_gives_no_number(call):
    """What cannot be estimated raises."""
    with pytest.raises(InputError):
        call()
