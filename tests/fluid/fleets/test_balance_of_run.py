"""Balance of a run: the bound is below the longest iteration of every assignment of the residents."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid.fleets.balance_of_run import balance_of_run
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.service import Affine
from tests.support.instances import SERVICE_MODELS

contexts = st.lists(st.integers(1, 400), min_size=1, max_size=6)


def split(reads, seats, m):
    return [[k for k, seat in zip(reads, seats, strict=True) if seat == i] for i in range(m)]


@settings(max_examples=60)
@given(contexts, st.integers(1, 3), st.sampled_from(sorted(SERVICE_MODELS)))
def test_bound_is_below_every_assignment(reads, m, service):
    """Claim: over all assignments the longest iteration is at least the bound, which is the same for all of them."""
    hardware = Hardware("gpu", SERVICE_MODELS[service], 10**6)
    every = [split(reads, seats, m) for seats in itertools.product(range(m), repeat=len(reads))]
    found = balance_of_run(every, hardware)
    assert (found.ratio >= 1).all()
    np.testing.assert_allclose(found.bound_s, found.bound_s[0])
    assert found.mean_ratio >= 1
    assert found.worst_ratio >= 1


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 300))
def test_equal_shares_are_perfect(m, each, reads):
    """Claim: with an affine model, the same number of equal requests everywhere has ratio 1."""
    hardware = Hardware("gpu", Affine(0.01, 0.0, 1e-3, 1e-6), 10**6)
    found = balance_of_run([[[reads] * each] * m], hardware)
    assert found.ratio[0] == pytest.approx(1.0, abs=1e-9)


def test_by_hand():
    """Claim: 12 ms + 1 ms per request; four on one instance take 16 ms, two and two 14 ms; idle times do not count."""
    hardware = Hardware("gpu", Affine(0.012, 0.0, 1e-3, 0.0), 10**6)
    found = balance_of_run([[[5] * 4, []], [[], []], [[5, 5], [5, 5]]], hardware)
    assert found.longest_s == pytest.approx([0.016, 0.0, 0.014])
    assert found.bound_s == pytest.approx([0.014, 0.0, 0.014])
    assert found.requests.tolist() == [4, 0, 4]
    assert found.ratio == pytest.approx([16 / 14, 1.0])
    assert found.mean_ratio == pytest.approx(30 / 28)
    assert found.worst_ratio == pytest.approx(16 / 14)


@pytest.mark.parametrize(
    ("samples", "why"),
    [([], "need samples"), ([[[1]], [[1], [2]]], "need samples"), ([[[], []]], "nothing"), ([[[0]]], "must be >= 1")],
)
def test_bad_samples(samples, why):
    """Claim: what cannot be compared is refused."""
    with pytest.raises(InputError, match=why):
        balance_of_run(samples, Hardware("gpu", Affine(0.01, 0.0, 0.0, 0.0), 1000))
