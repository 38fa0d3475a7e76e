"""Exact laws of WAIT's embedded processes, by hand and against simulation."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.wait.drift import OverflowRisk
from policies.wait.segments import NestedSegments
from proofs_check.heavy_traffic.laws import binomial_law, firing, laws, means_after, passage, poisson_law, reflected
from proofs_check.wait.coupling import backlogs
from proofs_check.wait.delay_bound import least_work
from proofs_check.wait.fcfs import SAFE, demands, safe_probability
from proofs_check.wait.nested_memory import stage_sum

COIN = np.array([0.5, 0.0, 0.5])
"""Nobody or two arrive."""


def test_laws_of_arrivals():
    """Claim: probabilities sum to 1 with the right mean and variance."""
    for law, mean, variance in (
        (poisson_law(3.0), 3, 3),
        (poisson_law(0.1), 0.1, 0.1),
        (binomial_law(20, 0.3), 6, 4.2),
    ):
        counts = np.arange(len(law))
        assert law.sum() == pytest.approx(1, abs=1e-14)
        assert law @ counts == pytest.approx(mean)
        assert law @ counts**2 - mean**2 == pytest.approx(variance)


def test_reviews_by_hand():
    """Claim: threshold 3 and nobody or two arriving: after two reviews 0, 2 or 4 - 3 wait; the walk with floor 1 is at
    1 after each."""
    after = [after.tolist() for _, after in laws(0, COIN, firing(3), 2)]
    assert after == [[0.5, 0.0, 0.5], [0.25, 0.25, 0.5]]
    walk = [after.tolist() for _, after in laws(1, COIN, reflected(3, 1), 2)]
    assert [law[1] for law in walk] == [1.0, 1.0]


def test_passage_by_hand():
    """Claim: the walk (Q + X - 1)^+ with X in {0, 2} reaches 2 first after two steps up, then after 3/8 of ..."""
    chance = passage(0, COIN, reflected(1, 0), 3, 2)
    # Up, up: 1/4. Down (stays at 0), up, up: 1/8 more.
    assert chance.tolist() == pytest.approx([0, 1 / 4, 3 / 8])


@given(st.integers(1, 6), st.lists(st.integers(0, 12), min_size=1, max_size=60))
def test_backlogs_follow_the_recursion(n, arrivals):
    """Claim: one threshold leaves whenever it waits; what is left is what came less what left."""
    after = backlogs(np.array(arrivals), n)
    fired = (np.cumsum(arrivals) - after) // n
    assert np.array_equal(np.cumsum(arrivals) - n * fired, after)
    assert set(np.diff(fired, prepend=0).tolist()) <= {0, 1}
    stuck = np.diff(fired, prepend=0) == 0
    assert (after[stuck] < n).all()


@pytest.mark.parametrize(("n", "mean"), [(2, 2.0), (4, 3.0)])
def test_exact_means_agree_with_simulation(n, mean):
    """Claim: E[W_B] by convolution is the mean of 4000 simulated paths, to four standard errors."""
    paths = np.random.default_rng(0).poisson(mean, (4000, 60))
    final = np.array([backlogs(path, n)[-1] for path in paths])
    exact = means_after(0, poisson_law(mean), firing(n), 60)[-1]
    assert final.mean() == pytest.approx(exact, abs=4 * final.std() / math.sqrt(len(final)))


def test_the_block_of_the_fcfs_bound_by_hand():
    """Claim: balance needs 9 tokens; of the pairs of arrivals only five keep the block within 9, and two of type 2 need
    12 in the second iteration after the one that admits them."""
    assert demands((1, 1), ((1, 1),)) == [9, 9]
    safe = {(a, b) for a in range(6) for b in range(6) if max(demands((a, b), ((1, 1), (1, 1)))) <= 9}
    assert safe == {(0, 0), (1, 0), (0, 1), (1, 1), (2, 0)}
    assert demands((0, 2), ((1, 1), (1, 1))) == [9, 9, 12]
    assert 1 - safe_probability("perturbed") == pytest.approx(0.39099, abs=5e-6)
    assert pytest.approx(safe_probability("perturbed")) == SAFE
    assert 1 - safe_probability("random") == pytest.approx(0.42570, abs=5e-6)


def test_least_work_by_hand():
    """Claim: rate 2, arrivals of 4 at 0 and at 1, idle from 4 on, 3 more at 10."""
    times = np.array([0.0, 0.5, 1.0, 3.0, 4.0, 6.0, 10.0, 11.0])
    work = least_work(times, np.array([0.0, 1.0, 10.0]), np.array([4.0, 4.0, 3.0]), 2.0)
    assert work.tolist() == pytest.approx([4, 3, 6, 2, 0, 0, 3, 1])


def test_memory_of_nested_wait():
    """Claim: l = 512, l' = (20, 50), p = 0.3, n = (20, 8): the recomputed M^pi and buffers."""
    segments = NestedSegments((20, 50), (20, 8), (0.3,), (512.0, 512.0))
    assert segments.memory_tokens == stage_sum({"prompt": 512, "cuts": [20, 50], "thresholds": [20, 8]}) == 350_640
    assert segments.threshold_buffer_tokens == 4_256
    for delta, iterations, tokens in ((0.01, 1e6, 11_673.8), (0.1, 1e4, 7_454.9)):
        found = segments.fluctuation_buffer_tokens(OverflowRisk(delta, iterations))
        assert found == pytest.approx(tokens, abs=0.05)


def test_excursions_agree_with_simulation():
    """Claim: the exact probability of an excursion is the frequency on 4000 paths, to four standard errors."""
    survivors = np.random.default_rng(1).binomial(4, 0.5, (4000, 80))
    walk, peak = np.zeros(4000), np.zeros(4000)
    for column in survivors.T:
        walk = np.maximum(0, walk + column - 3)
        peak = np.maximum(peak, walk)
    exact = partial(passage, 0, binomial_law(4, 0.5), reflected(3, 0), 80)
    for level in (1, 2, 3):
        chance = exact(level)[-1]
        error = math.sqrt(chance * (1 - chance) / 4000)
        assert (peak >= level).mean() == pytest.approx(chance, abs=4 * error)
