"""Rankings: the set holds the best, says so by its definition, and refuses what cannot be ranked."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import t, ttest_rel

from orsched.errors import InputError
from orsched.statistics.estimate import paired_difference
from orsched.statistics.ranking import rank

tables = arrays(float, st.tuples(st.integers(2, 5), st.integers(2, 8)), elements=st.integers(-50, 50).map(float))


def named(table):
    return {f"p{index}": row for index, row in enumerate(table)}


def direct(table, level=0.95):
    """The set and the limits as the docstring writes them down, one pair after the other."""
    k, n = table.shape
    quantile = t.ppf(1 - (1 - level) / (2 * (k - 1)), n - 1)
    apart = {(i, j): table[i] - table[j] for i in range(k) for j in range(k) if i != j}
    means = {pair: d.mean() for pair, d in apart.items()}
    widths = {pair: quantile * d.std(ddof=1) / math.sqrt(n) for pair, d in apart.items()}
    kept = {i for i in range(k) if all(means[i, j] <= widths[i, j] + 1e-9 for j in range(k) if j != i)}
    limits = [max([0.0, *(means[i, j] + widths[i, j] for j in kept if j != i)]) for i in range(k)]
    return kept, limits


@given(tables)
def test_the_ranking_is_its_definition(table):
    """Claim: the set, the limits and the order are those of the docstring's formulas."""
    found = rank(named(table))
    assert [ranked.mean for ranked in found.order] == sorted(ranked.mean for ranked in found.order)
    if found.undecided:
        assert found.may_be_best == tuple(named(table))
        assert all(ranked.behind_at_most is None for ranked in found.order)
        return
    kept, limits = direct(table)
    assert {int(name[1:]) for name in found.may_be_best} == kept
    for index, limit in enumerate(limits):
        assert found[f"p{index}"].behind_at_most == pytest.approx(limit, abs=1e-6)


@given(tables)
def test_higher_is_lower_turned_round(table):
    """Claim: ranking by the higher is ranking the negative by the lower."""
    up, down = rank(named(table), "higher"), rank(named(-table), "lower")
    assert [(r.name, r.best, r.may_be_best, r.behind_at_most) for r in up.order] == [
        (r.name, r.best, r.may_be_best, r.behind_at_most) for r in down.order
    ]


@given(tables, st.floats(0.1, 10), st.lists(st.integers(-1000, 1000), min_size=8, max_size=8))
def test_what_all_policies_share_does_not_matter(table, scale, noise):
    """Claim: neither the unit nor noise common to all policies of a path changes who may be best."""
    moved = scale * (table + np.array(noise[: table.shape[1]]))
    assert set(rank(named(moved)).may_be_best) == set(rank(named(table)).may_be_best)


@given(tables)
def test_the_best_mean_may_be_best(table):
    """Claim: the policy of the best sample mean is never left out, and whoever equals it on every path neither."""
    found = rank(named(table))
    assert found.order[0].best
    assert all(ranked.may_be_best for ranked in found.order if ranked.best)
    twin = rank({**named(table), "twin": table[int(found.order[0].name[1:])]})
    assert twin["twin"].best
    assert twin["twin"].may_be_best


@given(arrays(float, (2, 6), elements=st.integers(-50, 50).map(float)))
def test_two_policies_are_a_paired_t_test(table):
    """Claim: with two policies, significantly worse is what the paired interval and the paired t-test at 5% say."""
    difference = paired_difference(table[0], table[1])
    if difference.half_width == 0:
        return
    ranking = rank(named(table))
    differ = not difference.contains(0.0)
    assert differ == bool(ttest_rel(table[0], table[1]).pvalue < 0.05)
    assert differ == (len(ranking.may_be_best) == 1)
    assert ranking["p0"].may_be_best == (not differ or difference.mean < 0)


def test_common_random_numbers_tell_policies_apart():
    """Claim: a difference of 1% shows under common noise of 50%."""
    rng = np.random.default_rng(1)
    path = rng.exponential(1.0, 20)
    values = {"a": path * rng.normal(1, 0.005, 20), "b": path * rng.normal(1.01, 0.005, 20)}
    assert rank(values).may_be_best == ("a",)
    assert rank(values)["a"].behind_at_most == 0.0
    assert 0 < rank(values)["b"].behind_at_most < 0.1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"a": [1.0, 2.0]}, "only one policy"),
        ({"a": [1.0], "b": [2.0]}, "one replication"),
        ({"a": [1.0, 2.0], "b": [1.0, 2.0]}, "identical on every sample path"),
        ({"a": [1.0, 2.0], "b": [1.0 + 1e-15, 2.0 - 1e-15]}, "identical on every sample path"),
    ],
)
def test_what_cannot_be_ranked_says_so(values, reason):
    """Claim: without a comparison nobody is left out, and the reason is given."""
    found = rank(values)
    assert found.undecided == f"cannot rank: {reason}"
    assert set(found.may_be_best) == set(values)


def test_a_constant_difference_is_certain():
    """Claim: what is worse by the same amount on every path is worse by exactly that."""
    found = rank({"a": [1.0, 5.0, 2.0], "b": [1.5, 5.5, 2.5]})
    assert found.may_be_best == ("a",)
    assert found["b"].behind_at_most == 0.5


def test_more_policies_need_more_evidence():
    """Claim: a difference of 2.5 standard errors tells two policies apart, but not two of thirty."""
    noise = np.random.default_rng(3).normal(size=20)
    worse = (noise - noise.mean()) / noise.std(ddof=1) + 2.5 / math.sqrt(20)
    close = {"a": np.zeros(20), "b": worse}
    assert rank(close).may_be_best == ("a",)
    crowd = {f"c{i}": np.full(20, 5.0) for i in range(28)}
    assert rank({**close, **crowd}).may_be_best == ("a", "b")


@pytest.mark.parametrize(
    "values",
    [{}, {"a": []}, {"a": [1.0, math.nan], "b": [1.0, 2.0]}, {"a": [1.0, 2.0], "b": [1.0]}],
)
def test_bad_input_gives_no_ranking(values):
    """Claim: nothing to rank, no number, and unequal replications are refused."""
    with pytest.raises(InputError):
        rank(values)


def test_unknown_names_and_levels():
    """Claim: a policy that was not ranked is a KeyError, a level outside (0, 1) is refused."""
    found = rank({"a": [1.0, 2.0], "b": [2.0, 4.0]})
    with pytest.raises(KeyError):
        _ = found["c"]
    with pytest.raises(InputError, match="confidence level"):
        rank({"a": [1.0, 2.0]}, level=1.0)
    with pytest.raises(InputError, match="no limit is finite"):
        rank({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.1], "c": [1.0, 2.0, 3.0]}, level=1 - 1e-16)
    with pytest.raises(InputError, match="'lower' or 'higher'"):
        rank({"a": [1.0, 2.0], "b": [2.0, 4.0]}, better="up")
