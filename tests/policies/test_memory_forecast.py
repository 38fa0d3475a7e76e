"""The memory forecast against every iteration written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import seeds

from orsched.errors import InputError
from policies.parts.load_forecast import horizon
from policies.parts.memory_forecast import MemoryForecast, blocks_of


def held_by(context, remaining, iterations, block):
    """Blocks a request holds after so many iterations from now: one more token each, nothing once it has ended."""
    if iterations > remaining:
        return 0
    return -(-(context + iterations) // block)


def test_blocks_by_hand():
    """Claim: 10 tokens of context and 3 to come, blocks of 4, steps of 2: at most 12 tokens in iterations 1 and 2, 13
    in the third, nothing later; with no known end 12, 14, 16 tokens."""
    ahead = horizon(2, 3)
    assert blocks_of([10, 10], [3, np.inf], ahead, 2, 4).tolist() == [[3, 4, 0], [3, 4, 4]]
    assert blocks_of([], [], ahead, 2, 4).shape == (0, 3)


@given(seeds, st.integers(1, 20), st.integers(1, 9), st.sampled_from([1, 7, 16]))
def test_no_iteration_of_an_interval_holds_more(seed, step, count, block):
    """Claim: after every iteration of an interval each request holds at most what the forecast says, and exactly that
    after one of them."""
    rng = np.random.default_rng(seed)
    context, remaining = rng.integers(1, 100, 5), rng.integers(1, 60, 5)
    forecast = blocks_of(context, remaining, horizon(step, count), step, block)
    for j in range(5):
        for k in range(count):
            inside = range(k * step + 1, (k + 1) * step + 1)
            assert forecast[j, k] == max(held_by(int(context[j]), int(remaining[j]), t, block) for t in inside)


@given(seeds)
def test_fits_and_overflows_are_sums_compared(seed):
    """Claim: a request fits where the sum stays within the capacity in every interval; `move` keeps the sums."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 10, (3, 4)).astype(float)
    each = rng.integers(0, 5, (6, 4)).astype(float)
    forecast = MemoryForecast(blocks, 10)
    assert forecast.overflows().tolist() == [bool((row > 10).any()) for row in blocks]
    fits = forecast.fits([2, 1], each)
    assert fits.tolist() == [[bool((blocks[t] + one <= 10).all()) for t in (2, 1)] for one in each]
    forecast.move(0, 2, each[0])
    np.testing.assert_array_equal(forecast.blocks, [blocks[0] - each[0], blocks[1], blocks[2] + each[0]])


def test_nothing_to_forecast_is_refused():
    """Claim: naming the shape."""
    with pytest.raises(InputError, match=r"blocks of shape \(0, 2\)"):
        MemoryForecast(np.zeros((0, 2)), 5)
