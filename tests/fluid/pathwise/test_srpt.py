"""SRPT: equal to a step-by-step simulation, below every priority rule, and safe under rounding."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluid.pathwise.srpt import srpt_flow_bound_s, srpt_flow_ticks
from orsched.errors import InputError

jobs = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), min_size=1, max_size=6).map(sorted)


def stepped(jobs, key):
    """Sum of flow times when each unit of time serves the present job with the least key."""
    left = [p for _, p in jobs]
    flow, now = 0, 0
    while any(left):
        present = [i for i, (a, _) in enumerate(jobs) if a <= now and left[i]]
        if present:
            left[min(present, key=lambda i: key(i, left[i]))] -= 1
        now += 1
        flow += len(present)
    return flow


@given(jobs)
def test_equals_a_unit_step_simulation(jobs):
    arrivals, sizes = zip(*jobs, strict=True)
    assert srpt_flow_ticks(arrivals, sizes) == stepped(jobs, lambda i, left: (left, i))


@given(jobs)
def test_no_priority_order_is_better(jobs):
    arrivals, sizes = zip(*jobs, strict=True)
    orders = itertools.permutations(range(len(jobs)))
    best = min(stepped(jobs, lambda i, left, order=order: order[i]) for order in orders)
    assert srpt_flow_ticks(arrivals, sizes) <= best


def in_fractions(arrivals, sizes, speed):
    """SRPT event by event in exact fractions."""
    pending, now, flow = [], Fraction(0), Fraction(0)
    events = sorted(zip(map(Fraction, arrivals), map(Fraction, sizes), strict=True))
    for k, (a, p) in enumerate(events):
        now = a
        pending.append(p)
        until = events[k + 1][0] if k + 1 < len(events) else None
        while pending and (until is None or now < until):
            pending.sort()
            step = pending[0] / speed if until is None else min(pending[0] / speed, until - now)
            flow += step * len(pending)
            pending[0] -= step * speed
            now += step
            pending = [q for q in pending if q > 0]
    return flow


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e3)), min_size=1, max_size=8).map(sorted),
    st.integers(1, 4),
)
def test_rounding_is_always_downward(rows, speed):
    """The bound never exceeds the exact value, and is within n ticks and the sizes' rounding of it."""
    arrivals, sizes = (np.array(c) for c in zip(*rows, strict=True))
    exact = in_fractions(arrivals.tolist(), sizes.tolist(), speed)
    bound = srpt_flow_bound_s(arrivals, sizes, speed)
    assert bound <= exact
    horizon = speed * arrivals[-1] + sizes.sum()
    assert exact - bound <= 40 * Fraction(2) ** -50 * Fraction(max(horizon, 1e-300)) * len(rows)


def test_speed():
    arrivals, sizes = np.zeros(3), np.array([1.0, 2.0, 3.0])
    assert float(srpt_flow_bound_s(arrivals, sizes)) == pytest.approx(10)
    assert float(srpt_flow_bound_s(arrivals, sizes, 2)) == pytest.approx(5)


def test_nothing_to_do():
    assert srpt_flow_ticks([], []) == 0
    assert srpt_flow_bound_s(np.zeros(2), np.zeros(2)) == 0


def test_infinite_times_are_refused():
    with pytest.raises(InputError, match="finite"):
        srpt_flow_bound_s(np.array([0.0]), np.array([np.inf]))
