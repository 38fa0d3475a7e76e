"""Laws of the workload type that the rest of the toolkit relies on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Affine
from orsched.workloads import Workload, workload

FLEET = Fleet.identical(Hardware("test", Affine(0.01, 1e-5, 1e-4, 1e-7), kv_capacity_tokens=100_000))


@st.composite
def workloads(draw):
    """Workloads of 2 to 40 requests with a rate."""
    n = draw(st.integers(2, 40))
    gaps = draw(st.lists(st.floats(0, 100), min_size=n, max_size=n))
    gaps[-1] += 0.125
    tokens = st.lists(st.integers(1, 5000), min_size=n, max_size=n)
    return Workload.of(np.cumsum(gaps), draw(tokens), draw(tokens))


@given(workloads(), st.floats(1e-3, 1e3))
def test_at_rate_gives_that_rate(work, rate):
    """`at_rate(r)` has rate r to 1e-12 and the same lengths, and starts at time 0."""
    changed = work.at_rate(rate)
    assert changed.rate_per_s == pytest.approx(rate, rel=1e-12)
    assert changed.arrival_s[0] == 0
    assert np.array_equal(changed.output_tokens, work.output_tokens)


@given(workloads(), st.floats(0.01, 3))
def test_at_load_then_load_on_is_the_target(work, target):
    """The load after `at_load(x)` is x."""
    assert work.slice(0, len(work)).at_load(target, FLEET).load_on(FLEET) == pytest.approx(target, rel=1e-9)


@given(workloads(), st.data())
def test_slices_join_to_the_whole(work, data):
    """Two neighbouring slices hold all requests in order, each beginning at time 0, gaps unchanged."""
    cut = data.draw(st.integers(1, len(work) - 1))
    left, right = work.head(cut), work.slice(cut, len(work))
    assert np.array_equal(np.concatenate([left.input_tokens, right.input_tokens]), work.input_tokens)
    assert left.arrival_s[0] == right.arrival_s[0] == 0
    assert np.diff(right.arrival_s) == pytest.approx(np.diff(work.arrival_s[cut:]), abs=1e-9)


@given(workloads(), st.integers(1, 120), st.integers(0, 2**32))
def test_resample_keeps_blocks_of_requests(work, n, seed):
    """A resampled path has n requests from time 0; inside a block each request precedes its successor."""
    path = work.resample(n, np.random.default_rng(seed))
    assert len(path) == n
    assert path.arrival_s[0] == 0
    again = work.resample(n, np.random.default_rng(seed))
    assert np.array_equal(path.arrival_s, again.arrival_s)
    pairs = {
        (int(i), int(o)): (int(a), int(b))
        for i, o, a, b in zip(
            work.input_tokens,
            work.output_tokens,
            np.roll(work.input_tokens, -1),
            np.roll(work.output_tokens, -1),
            strict=True,
        )
    }
    if len(pairs) == len(work):  # every request recognisable
        block = min(n, len(work))
        for k in range(block - 1):
            here = (int(path.input_tokens[k]), int(path.output_tokens[k]))
            assert pairs[here] == (int(path.input_tokens[k + 1]), int(path.output_tokens[k + 1]))


def test_resample_keeps_the_rate_of_a_trace():
    """Long resampled paths of a bundled trace have its rate and mean lengths (within 5%)."""
    trace = workload("azure-conv")
    path = trace.resample(5 * len(trace), np.random.default_rng(3))
    assert path.rate_per_s == pytest.approx(trace.rate_per_s, rel=0.05)
    assert path.input_tokens.mean() == pytest.approx(trace.input_tokens.mean(), rel=0.05)


def test_unsorted_arrivals_are_sorted_with_a_notice():
    """Sorting keeps each request's lengths with its arrival and says so."""
    work = Workload.of([2.0, 1.0], [20, 10], [4, 3])
    assert list(work.arrival_s) == [1.0, 2.0]
    assert list(work.input_tokens) == [10, 20]
    assert list(work.output_tokens) == [3, 4]
    assert "sorted" in work.notices[0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0.0], [1], [0]), "output_tokens row 1 = 0.0: must be a whole number in 1..2147483647"),
        (([-1.0], [1], [1]), "arrival_s row 1 = -1.0"),
        (([np.nan], [1], [1]), "arrival_s row 1 = nan"),
        (([0.0, 1.0], [1], [1]), "differ in length"),
        (([], [], []), "at least one request"),
        (([0.0], [1.5], [1]), "input_tokens row 1 = 1.5"),
    ],
)
def test_bad_columns_are_refused(columns, message):
    """A column that is no column of requests is refused, naming the row and the value."""
    with pytest.raises(InputError) as caught:
        Workload.of(*columns)
    assert message in str(caught.value)


def test_no_rate_without_time():
    """One request, or all at one instant, has no rate, and says so instead of giving a number."""
    with pytest.raises(InputError, match="no arrival rate"):
        _ = Workload.of([1.0, 1.0], [1, 1], [1, 1]).rate_per_s
