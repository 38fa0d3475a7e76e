"""The von Neumann test objects to correlated batch means, and seldom to independent ones."""

import numpy as np
import pytest

from orsched.errors import InputError
from orsched.statistics.estimate import batch_means, estimate
from orsched.statistics.independence import batched, von_neumann


def autoregressive(rows, n, coefficient, seed):
    noise = np.random.default_rng(seed).normal(size=(rows, n))
    series = np.empty_like(noise)
    series[:, 0] = noise[:, 0] / np.sqrt(1 - coefficient**2)
    for step in range(1, n):
        series[:, step] = coefficient * series[:, step - 1] + noise[:, step]
    return series


def test_ratio_by_hand():
    """Claim: 1, 2, 4 ... : the ratio is the sum of squared steps over the sum of squared deviations."""
    values = [1.0, 2.0, 4.0, 1.0, 3.0, 2.0, 2.0, 1.0]
    steps = 1 + 4 + 9 + 4 + 1 + 0 + 1
    assert von_neumann(values).ratio == pytest.approx(steps / (40 - 8 * 2.0**2))


@pytest.mark.parametrize("n", [8, 20, 100])
def test_size(n):
    """Claim: of independent normal series 5% are objected to (4% to 6% of 10,000: 4.6 standard errors)."""
    rows = np.random.default_rng(n).normal(size=(10_000, n))
    assert 0.04 <= np.mean([not von_neumann(row).independent for row in rows]) <= 0.06


def test_power():
    """Claim: neighbours correlated by 0.7 are objected to in more than 90% of series of 30."""
    rows = autoregressive(300, 30, 0.7, 1)
    assert np.mean([not von_neumann(row).independent for row in rows]) > 0.9


def test_batches_that_are_too_short_are_flagged():
    """Claim: batches shorter than the correlation are objected to and cover badly, long ones are neither."""
    rows = autoregressive(300, 4000, 0.9, 2)
    long = [batched(row, 20) for row in rows]
    short = [batched(row, 400) for row in rows]
    assert np.mean([not found.independence.independent for found in long]) < 0.15
    assert np.mean([not found.independence.independent for found in short]) > 0.95
    assert np.mean([found.estimate.contains(0.0) for found in short]) < 0.88


def test_the_interval_is_that_of_batch_means():
    """Claim: the estimate is `estimate(batch_means(series))`."""
    series = np.random.default_rng(3).normal(size=1000)
    assert batched(series, 10).estimate == estimate(batch_means(series, 10))


def test_constants_are_not_judged_by_their_rounding():
    """Claim: equal values whose mean is rounded are refused, alone and as batch means."""
    for tenths in range(1, 100):
        for call in (lambda v: von_neumann([v] * 20), lambda v: batched([v] * 1000, 20)):
            with pytest.raises(InputError, match="equal values"):
                call(tenths / 10)


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e100])
def test_the_ratio_has_no_unit(scale):
    """Claim: values of any size give the same ratio; those too large to have a spread are refused."""
    values = np.array([1.0, 2.0, 4.0, 1.0, 3.0, 2.0, 2.0, 1.0])
    assert von_neumann(values * scale).ratio == pytest.approx(von_neumann(values).ratio)
    with pytest.raises(InputError, match="too large"):
        von_neumann(values * 1e200)


@pytest.mark.parametrize(
    "call", [lambda: von_neumann(np.arange(7.0)), lambda: von_neumann(np.ones(20)), lambda: batched(np.arange(5.0), 20)]
)
def test_bad_input(call):
    """Claim: too few values and equal values give no ratio."""
    with pytest.raises(InputError):
        call()
