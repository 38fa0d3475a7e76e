"""Length laws and mixes. Intervals are at 99.99% (z = 3.89)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from orsched.errors import InputError
from orsched.request import SLO, RequestClass
from orsched.workloads import (
    ClassMix,
    ClassShare,
    Empirical,
    Fixed,
    Geometric,
    Independent,
    JointSample,
    LogNormal,
    Uniform,
)

Z = 3.89
N = 50_000


def rng(seed: int = 11) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("law", "mean", "std"),
    [
        (Fixed(512), 512.0, 0.0),
        (Uniform(50, 950), 500.0, np.sqrt((901**2 - 1) / 12)),
        (Geometric(200.0), 200.0, np.sqrt(200.0 * 199.0)),
        (Geometric(1.0), 1.0, 0.0),
        (Empirical((1, 10, 100), (0.5, 0.25, 0.25)), 28.0, np.sqrt(0.5 * 27**2 + 0.25 * (18**2 + 72**2))),
    ],
    ids=repr,
)
def test_marginal_means(law, mean, std):
    """The sample mean and standard deviation are those of the law, and `mean_tokens` is exact."""
    drawn = law.sample(N, rng())
    assert law.mean_tokens == mean
    assert abs(drawn.mean() - mean) <= Z * std / np.sqrt(N)
    assert drawn.std() == pytest.approx(std, rel=0.05)


@given(st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 2**32))
def test_uniform_stays_inside(low, width, seed):
    """Uniform covers whole numbers from low to high, both included."""
    drawn = Uniform(low, low + width).sample(200, rng(seed))
    assert drawn.dtype == np.int64
    assert low <= drawn.min()
    assert drawn.max() <= low + width
    if width == 1:
        assert set(drawn) == {low, low + 1}


@given(st.floats(0.01, 1e6), st.floats(0, 10), st.integers(1, 10_000), st.integers(0, 2**32))
def test_log_normal_stays_inside(median, sigma, cap, seed):
    """A log-normal length is a whole number from 1 to the cap, whatever the parameters."""
    drawn = LogNormal(median, sigma, cap).sample(50, rng(seed))
    assert drawn.dtype == np.int64
    assert drawn.min() >= 1
    assert drawn.max() <= cap


def test_log_normal_median_and_mean():
    """Half of the lengths lie below the median; `with_mean` gives the stated mean (cap far away)."""
    drawn = LogNormal(1000.0, 1.0, 10**9).sample(N, rng())
    assert abs((drawn < 1000).mean() - 0.5) < Z * 0.5 / np.sqrt(N) + 0.001
    drawn = LogNormal.with_mean(1000.0, 0.5, 10**9).sample(N, rng())
    assert abs(drawn.mean() - 1000) < Z * drawn.std() / np.sqrt(N)


def test_empirical_frequencies():
    """Values come as often as their probabilities say (chi-square test)."""
    drawn = Empirical((3, 5, 8), (0.2, 0.5, 0.3)).sample(N, rng())
    counts = [(drawn == value).sum() for value in (3, 5, 8)]
    assert stats.chisquare(counts, np.array([0.2, 0.5, 0.3]) * N).pvalue > 1e-4


def test_independent_uses_common_random_numbers():
    """Changing the input law leaves the outputs of the same seed as they were; the two are uncorrelated."""
    outputs = Uniform(20, 480)
    first = Independent(Uniform(50, 950), outputs).sample(N, rng())
    second = Independent(LogNormal(300.0, 1.0, 4096), outputs).sample(N, rng())
    assert np.array_equal(first[1], second[1])
    assert abs(np.corrcoef(*first)[0, 1]) < Z / np.sqrt(N)


def test_joint_sample_draws_rows():
    """A joint sample gives rows of the table, equally often, never a mixture of two rows."""
    table = JointSample(np.array([10, 20, 30]), np.array([1, 2, 3]))
    inputs, outputs = table.sample(N, rng())
    assert np.array_equal(inputs, outputs * 10)
    assert stats.chisquare(np.bincount(outputs)[1:]).pvalue > 1e-4
    assert len(table) == 3


def test_joint_sample_cannot_be_changed():
    """The table copies its columns and keeps them read-only."""
    column = np.array([10, 20])
    table = JointSample(column, column)
    column[0] = 99
    assert table.input_tokens[0] == 10
    with pytest.raises(ValueError, match="read-only"):
        table.input_tokens[0] = 5


MIX = ClassMix(
    (
        ClassShare(RequestClass("chat", SLO(1.0, 0.1)), 7.0, Independent(Fixed(100), Fixed(10))),
        ClassShare(RequestClass("code"), 3.0, Independent(Fixed(2000), Uniform(20, 40))),
    )
)


def test_mix_shares_and_lengths():
    """Classes come in proportion to their weights, each with lengths of its own law."""
    ids, inputs, outputs = MIX.sample(N, rng())
    assert MIX.probabilities == (0.7, 0.3)
    assert [c.name for c in MIX.classes] == ["chat", "code"]
    assert abs((ids == 0).mean() - 0.7) < Z * np.sqrt(0.21 / N)
    assert set(inputs[ids == 0]) == {100}
    assert set(inputs[ids == 1]) == {2000}
    assert set(outputs[ids == 0]) == {10}
    assert set(outputs[ids == 1]) == set(range(20, 41))


def test_mix_with_a_class_that_never_comes():
    """A class may be so rare that a draw has none of it."""
    rare = ClassMix((MIX.shares[0], ClassShare(RequestClass("rare"), 1e-12, Independent(Fixed(1), Fixed(1)))))
    ids, _, _ = rare.sample(100, rng())
    assert set(ids) == {0}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Fixed(0), "Fixed.tokens = 0: must be a whole number from 1"),
        (lambda: Fixed(2.5), "Fixed.tokens = 2.5"),
        (lambda: Fixed(True), "Fixed.tokens = True"),
        (lambda: Fixed(2**40), "Fixed.tokens ="),
        (lambda: Uniform(5, 4), "Uniform.low = 5 exceeds Uniform.high = 4"),
        (lambda: Uniform(0, 4), "Uniform.low = 0"),
        (lambda: Geometric(0.5), "Geometric.mean_tokens = 0.5: must be a finite number of tokens >= 1"),
        (lambda: LogNormal(-1.0, 1.0, 10), "LogNormal.median_tokens = -1.0"),
        (lambda: LogNormal(10.0, float("inf"), 10), "LogNormal.sigma = inf"),
        (lambda: LogNormal(10.0, 1.0, 0), "LogNormal.cap_tokens = 0"),
        (lambda: Empirical((1, 2), (0.5, 0.6)), "sum to 1.1"),
        (lambda: Empirical((1, 2), (1.0,)), "one each"),
        (lambda: Empirical((1, 0), (0.5, 0.5)), "Empirical.values[1] = 0"),
        (lambda: Empirical((1, 2), (1.5, -0.5)), "finite and >= 0"),
        (lambda: Empirical((), ()), "not empty"),
        (lambda: JointSample([1, 2], [1]), "one each"),
        (lambda: JointSample([1, 2], [1, np.nan]), "JointSample.output_tokens[1] = nan"),
        (lambda: JointSample(["a"], [1]), "JointSample.input_tokens: not numbers"),
        (lambda: ClassMix(()), "at least one class"),
        (lambda: ClassMix((MIX.shares[0], MIX.shares[0])), "two classes of one name"),
        (lambda: ClassShare(RequestClass(), 0.0, Independent(Fixed(1), Fixed(1))), "ClassShare.weight = 0.0"),
    ],
)
def test_bad_parameters_are_refused(build, message):
    """A parameter outside its range is refused, naming field, value and what is allowed."""
    with pytest.raises(InputError) as caught:
        build()
    assert message in str(caught.value)
