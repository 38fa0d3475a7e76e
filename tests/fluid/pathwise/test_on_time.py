"""Most jobs on time: never below the optimum, equal to it where the rule is exact."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid.pathwise.on_time import Jobs, most_on_time
from orsched.errors import InputError

small = st.integers(0, 12)
jobs_lists = st.lists(st.tuples(small, st.integers(1, 14), st.integers(0, 8)), min_size=1, max_size=7)


def jobs_of(rows, speed=1):
    rows = sorted(rows)
    release, window, size = (np.array(c, dtype=float) for c in zip(*rows, strict=True))
    return Jobs.of(release, release + window, size, speed)


def feasible(rows):
    """Whether every job can be on time, preemption allowed: no interval holds more work than time."""
    starts, ends = {r for r, _, _ in rows}, {r + w for r, w, _ in rows}
    return all(sum(p for r, w, p in rows if r >= s and r + w <= t) <= t - s for s in starts for t in ends if t > s)


def optimum(rows):
    """Largest feasible subset, by trying all of them."""
    for count in range(len(rows), 0, -1):
        if any(feasible(chosen) for chosen in combinations(rows, count)):
            return count
    return 0


@settings(max_examples=400)
@given(jobs_lists)
def test_never_below_the_optimum(rows):
    """Any releases and deadlines, all subsets tried."""
    assert most_on_time(jobs_of(rows)) >= optimum(rows)


@settings(max_examples=200)
@given(jobs_lists)
def test_exact_for_a_common_release(rows):
    """Moore and Hodgson's problem is solved, not relaxed."""
    rows = [(3, w, p) for _, w, p in rows]
    assert most_on_time(jobs_of(rows)) == optimum(rows)


@settings(max_examples=200)
@given(jobs_lists)
def test_fewer_jobs_on_a_slower_machine(rows):
    """Twice the speed is half the sizes."""
    halved = [(r, w, p / 2) for r, w, p in rows]
    assert most_on_time(jobs_of(rows, speed=2)) == most_on_time(jobs_of(halved))


def test_almost_exact_for_equal_windows():
    """At most 1% above the optimum when half of the work has to go."""
    rng = np.random.default_rng(5)
    for window in (2.0, 10.0, 40.0):
        release = np.cumsum(rng.exponential(1.0, 300))
        size = rng.uniform(0.0, 3.0, 300)
        exact = in_order_of_release(release.tolist(), window, size.tolist())
        assert 0 <= most_on_time(Jobs.of(release, release + window, size, 1)) - exact <= 3


def in_order_of_release(release, window, size):
    """Kise, Ibaraki and Mine's algorithm: exact when deadlines are in the order of releases."""

    def finish(chosen):
        now = 0.0
        for j in chosen:
            now = max(now, release[j]) + size[j]
        return now

    kept = []
    for job in range(len(release)):
        kept.append(job)
        if finish(kept) > release[job] + window:
            kept.remove(min(kept, key=lambda j: finish([k for k in kept if k != j])))
    return len(kept)


def test_jobs_longer_than_their_window_are_left_out():
    """An infinite size is allowed: such a job is never on time."""
    jobs = Jobs.of(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]), np.array([1.5, np.inf, 1.0]), 1)
    assert len(jobs) == 1
    assert most_on_time(jobs) == 1


def test_no_jobs():
    none = np.array([])
    assert most_on_time(Jobs.of(none, none, none, 1)) == 0


def test_an_infinite_deadline_is_refused():
    with pytest.raises(InputError, match="finite"):
        Jobs.of(np.array([0.0]), np.array([np.inf]), np.array([1.0]), 1)
