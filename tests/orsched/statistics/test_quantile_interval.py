"""Intervals of quantiles: order statistics where values are independent, replications where they are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from orsched.errors import InputError
from orsched.statistics.estimate import estimate
from orsched.statistics.quantile_interval import (
    independent_quantile,
    least_independent,
    path_quantile,
    pooled_quantile,
)
from orsched.statistics.quantiles import percentiles


@pytest.mark.parametrize(("percent", "n"), [(50, 6), (90, 36), (10, 36), (99, 368), (1, 368)])
def test_least_number(percent, n):
    """Claim: the numbers from tables; one observation fewer is refused and the message has the number."""
    assert least_independent(percent) == n
    values = np.arange(float(n))
    assert independent_quantile(values, percent).n == n
    with pytest.raises(InputError, match=f"at least {n}"):
        independent_quantile(values[1:], percent)


@given(st.integers(1, 99), st.integers(0, 500), st.floats(0.5, 0.99))
def test_order_statistics_cover_by_the_binomial_law(percent, more, level):
    """Claim: the ends are order statistics between which the quantile lies with at least the level's probability."""
    n = least_independent(percent, level) + more
    found = independent_quantile(np.arange(1.0, n + 1), percent, level)
    low, high = int(found.low), int(found.high)
    below = binom.cdf([low - 1, high - 1], n, percent / 100)
    assert below[1] - below[0] >= level - 1e-9
    assert found.low <= found.value <= found.high
    assert found.contains(found.value)


def test_any_law_gives_the_same_ranks():
    """Claim: distribution-free: a monotone change of the values changes the interval with them."""
    values = np.random.default_rng(1).normal(size=200)
    plain, bent = independent_quantile(values, 90), independent_quantile(np.exp(values), 90)
    assert (bent.low, bent.value, bent.high) == tuple(np.exp([plain.low, plain.value, plain.high]))
    assert str(independent_quantile(np.arange(100.0), 50)).startswith("49 [")


def test_a_path_counts_once():
    """Claim: the interval is that of the paths' own percentiles."""
    rng = np.random.default_rng(2)
    paths = [rng.exponential(size=300) for _ in range(10)]
    own = [percentiles(path, [90])["p90"] for path in paths]
    assert path_quantile(paths, 90) == estimate(own)


def test_sectioning_is_centred_at_the_pooled_percentile():
    """Claim: the centre is the percentile of all values, and the width never below that of the paths' own spread."""
    rng = np.random.default_rng(3)
    paths = [rng.exponential(size=200) for _ in range(10)]
    found, own = pooled_quantile(paths, 99), path_quantile(paths, 99)
    assert found.mean == percentiles(np.concatenate(paths), [99])["p99"]
    assert found.half_width >= own.half_width
    assert pooled_quantile(paths[:1], 50).half_width is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: path_quantile([], 50),
        lambda: path_quantile([[1.0]], 50),
        lambda: path_quantile([np.arange(99.0)], 99),
        lambda: path_quantile([np.full(100, np.inf)] * 2, 50),
        lambda: path_quantile([np.full(100, np.nan)] * 2, 50),
        lambda: pooled_quantile([np.arange(99.0)], 1),
        lambda: path_quantile([np.arange(200.0)], 100),
        lambda: pooled_quantile([np.arange(10.0), np.arange(10.0) + 1], 50, level=2),
        lambda: pooled_quantile([np.arange(10.0)], 50, level=float("nan")),
        lambda: pooled_quantile([np.full(100, np.inf)] * 2, 50),
        lambda: pooled_quantile([np.array([1.0, 2.0, 3.0, np.inf])] * 2, 50),
        lambda: independent_quantile(np.arange(500.0), 0),
        lambda: independent_quantile([*np.arange(50.0), np.nan], 50),
        lambda: independent_quantile(np.arange(50.0), 50, level=1.0),
    ],
)
def test_bad_input_gives_no_interval(call):
    """Claim: too short, not finite, or no percentile at all: refused."""
    with pytest.raises(InputError):
        call()
