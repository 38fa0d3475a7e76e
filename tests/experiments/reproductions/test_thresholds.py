"""From a cap on the requests in service to thresholds, on hand cases and as laws."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.reproductions.wait.thresholds import known_lengths, nested
from orsched.errors import InputError


def repeated(*counts):
    """Lengths, each as often as asked for: pairs of (how often, length)."""
    return np.repeat([length for _, length in counts], [times for times, _ in counts])


ONE, LONG = repeated((10, 21)), repeated((10, 1001))
TWO = [repeated((7, 21)), repeated((3, 51))]
DECODES = repeated((7, 20), (3, 50))


@pytest.mark.parametrize(
    ("cap", "outputs", "thresholds", "length"),
    [
        (21, [ONE], (1,), 1),  # one request in each of 21 stages
        (41, [ONE], (1,), 1),
        (42, [ONE], (2,), 1),
        (20, [ONE], (1,), 2),  # 21 stages do not fit into 20 places, 11 stages of two iterations do
        (300, TWO, (7, 3), 1),  # 7 x 21 + 3 x 51 = 300: the fluid proportions
        (100, [LONG], (1,), 11),  # 91 stages of 11 iterations
        (30, TWO, (1, 1), 3),  # 7 + 17 stages; (2, 1) would need 31
        (30, [repeated((1, 10), (1, 20))], (2,), 1),  # 15 stages on average
        (4, [np.ones(4), np.ones(2), np.ones(1), np.ones(1)], (1, 1, 1, 1), 1),
    ],
)
def test_thresholds_of_known_lengths(cap, outputs, thresholds, length):
    """Claim: n_j = c p_j / sum_i p_i stages_i, rounded down, with stages as short as the cap allows."""
    assert known_lengths(cap, outputs) == (thresholds, length)


@given(st.integers(4, 300), st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=5), min_size=1, max_size=4))
def test_wait_never_has_more_in_service_than_the_cap(cap, classes):
    """Claim: the mean number in all stages of all classes is at most `cap`, and every class has a place."""
    outputs = [np.array(own) for own in classes]
    thresholds, length = known_lengths(cap, outputs)
    serving = sum(n * np.ceil(own / length).mean() for n, own in zip(thresholds, outputs, strict=True))
    assert min(thresholds) >= 1
    assert serving <= cap + 1e-6


@pytest.mark.parametrize(
    ("cap", "thresholds", "length"),
    [
        (17, (1, 1), 3),  # 21 and 30 iterations are 7 and 10 stages of 3
        (30, (2, 1), 3),
        (51, (1, 1), 1),  # 21 + 30 stages
        (71, (1, 1), 1),
        (72, (2, 1), 1),  # 2 x 21 + 30
        (200, (6, 2), 1),  # 6 x 21 + 2 x 30 = 186; seven need 7 x 21 + 3 x 30 = 237
    ],
)
def test_thresholds_of_two_segments(cap, thresholds, length):
    """Claim: with cuts 20 and 50 and p_2 = 0.3, n_1 is the largest that fits and n_2 the least above 0.3 n_1."""
    assert nested(cap, (20, 50), DECODES) == (thresholds, length)


def test_requests_that_end_early_make_room():
    """Claim: half of the requests take 50 of 100 iterations, so that one entry a stage is 75 requests on average."""
    decodes = repeated((1, 49), (1, 99))
    assert nested(75, (99,), decodes) == ((1,), 1)
    assert nested(74, (99,), decodes) == ((1,), 2)
    assert nested(150, (99,), decodes) == ((2,), 1)


@given(st.integers(25, 300), st.lists(st.integers(1, 239), min_size=1, max_size=30))
def test_nested_thresholds_have_drift(cap, lengths):
    """Claim: n_k > p_k n_(k-1), or n_k = n_(k-1), which bounds the boundary queue whatever happens."""
    decodes = np.array([*lengths, 239])
    thresholds, length = nested(cap, (59, 119, 179, 239), decodes)
    assert 60 % length == 0
    shares = [np.mean(decodes[decodes > before] > after) for before, after in pairwise((-1, 59, 119, 179))]
    for (before, n), share in zip(pairwise(thresholds), shares, strict=True):
        assert n == before or n > share * before
        assert 1 <= n <= before


def test_a_cap_without_thresholds_is_refused():
    """Claim: fewer places than classes, or than stages of any length, is an error that names the cap."""
    with pytest.raises(InputError, match="cap 1: WAIT needs a place for each of 2 classes"):
        known_lengths(1, TWO)
    with pytest.raises(InputError, match="cap 16: Nested WAIT needs 17 places"):
        nested(16, (20, 50), DECODES)
