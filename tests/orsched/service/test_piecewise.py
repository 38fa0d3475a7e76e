"""Sums of piecewise-linear functions along arithmetic progressions."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched.errors import InputError
from orsched.service import PiecewiseLinear


@st.composite
def curves(draw):
    """Continuous non-decreasing curves of one to four pieces, convex or not."""
    breaks = sorted(draw(st.lists(st.integers(1, 500), max_size=3, unique=True)))
    slopes = draw(st.lists(st.floats(0, 2), min_size=len(breaks) + 1, max_size=len(breaks) + 1))
    intercepts = [draw(st.floats(0.1, 5))]
    for b, (low, high) in zip(breaks, pairwise(slopes), strict=True):
        intercepts.append(intercepts[-1] + (low - high) * b)
    return PiecewiseLinear(intercepts, slopes, breaks)


@given(curves(), st.integers(0, 600), st.integers(0, 40), st.integers(1, 60))
def test_total_equals_the_term_by_term_sum(curve, x0, step, count):
    """Claim: the closed form is the sum, across breaks too."""
    direct = sum(curve(x0 + n * step) for n in range(count))
    assert curve.total(x0, step, count) == pytest.approx(direct, rel=1e-12)


@given(curves(), st.integers(0, 600), st.integers(0, 40), st.integers(1, 60), st.floats(0, 1.2))
def test_count_to_reach_is_the_first_term_that_gets_there(curve, x0, step, count, share):
    """Claim: k terms reach the elapsed time, k - 1 do not, and the total returned is theirs."""
    elapsed = share * curve.total(x0, step, count)
    k, total = curve.count_to_reach(x0, step, count, elapsed)
    assert total == pytest.approx(curve.total(x0, step, k), rel=1e-12)
    tolerance = 1e-9 * max(1.0, elapsed)
    assert k == count or total >= elapsed - tolerance
    assert k == 1 or curve.total(x0, step, k - 1) < elapsed + tolerance


@pytest.mark.parametrize(
    ("intercepts", "slopes", "breaks"), [([1], [1, 2], []), ([1, 2], [1, 2], []), ([1], [-1], []), ([1, 1], [0, 1], [])]
)
def test_malformed_curves_are_refused(intercepts, slopes, breaks):
    """Claim: wrong piece counts and decreasing curves raise."""
    with pytest.raises(InputError):
        PiecewiseLinear(intercepts, slopes, breaks)
