"""The load forecast against sums and variances written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import seeds

from orsched.errors import InputError
from policies.parts.load_forecast import LoadForecast, discounted, horizon, loads_of


def random_fleet(seed, instances=4, most=6):
    """Residents of each instance as lists of (context, remaining)."""
    rng = np.random.default_rng(seed)
    return [
        [(int(rng.integers(1, 5_000)), float(rng.integers(1, 300)) / 2) for _ in range(rng.integers(0, most))]
        for _ in range(instances)
    ]


def brute_load(residents, step):
    return sum(context + step for context, remaining in residents if remaining > step)


def brute_score(fleet, ahead, weights):
    score = 0.0
    for step, weight in zip(ahead, weights, strict=True):
        loads = [brute_load(residents, step) for residents in fleet]
        mean = sum(loads) / len(loads)
        score += weight * sum((load - mean) ** 2 for load in loads) / len(loads)
    return score


def forecast_of(fleet, ahead, weights):
    rows = [loads_of([c for c, _ in rs], [r for _, r in rs], ahead).sum(axis=0) for rs in fleet]
    return LoadForecast(rows, weights)


def test_loads_by_hand():
    """Claim: contexts 10 and 100 with 3 and 8 tokens to come: 110 now, 10 + 2 + 102 in two iterations, 104 in four and
    106 in six; eight iterations ahead nobody is left, as 8 > 8 is not so."""
    ahead = horizon(2, 5)
    assert ahead.tolist() == [0, 2, 4, 6, 8]
    each = loads_of([10, 100], [3, 8], ahead)
    assert each.tolist() == [[10, 12, 0, 0, 0], [100, 102, 104, 106, 0]]
    assert loads_of([], [], ahead).shape == (0, 5)


def test_a_move_by_hand():
    """Claim: loads 30 and 10 at one step have variance 100; moving a request of 10 makes 20 and 20, variance 0; moving
    one of 20 makes 10 and 30, change 0; one of 25 makes 5 and 35, variance 225."""
    forecast = LoadForecast([[30], [10]], [1.0])
    assert forecast.score() == 100
    assert forecast.change(0, [1], np.array([[10.0], [20.0], [25.0]])).tolist() == [[-100], [0], [125]]
    forecast.move(0, 1, np.array([10.0]))
    assert forecast.loads.tolist() == [[20], [20]]


fleets = st.tuples(seeds, st.integers(1, 6), st.integers(1, 40), st.integers(1, 9), st.floats(0.5, 1))


@given(fleets)
def test_score_loads_and_means_are_the_written_out_ones(case):
    """Claim: for any fleet, step, length of the horizon and discount."""
    seed, instances, step, count, gamma = case
    fleet, ahead = random_fleet(seed, instances), horizon(step, count)
    weights = discounted(ahead, gamma)
    np.testing.assert_allclose(weights, [gamma ** (k * step) for k in range(count)])
    forecast = forecast_of(fleet, ahead, weights)
    loads = [[brute_load(residents, step) for step in ahead] for residents in fleet]
    np.testing.assert_array_equal(forecast.loads, loads)
    assert forecast.score() == pytest.approx(brute_score(fleet, ahead, weights), rel=1e-9, abs=1e-6)
    np.testing.assert_allclose(forecast.mean_load(), [np.average(row, weights=weights) for row in loads], atol=1e-9)


@given(fleets)
def test_changes_are_differences_of_written_out_scores(case):
    """Claim: for every request and every pair of instances the change, of all at once, is the score after the move less
    the score before; `move` gives the loads after it."""
    seed, instances, step, count, gamma = case
    fleet, ahead = random_fleet(seed, instances, most=4), horizon(step, count)
    weights = discounted(ahead, gamma)
    before = brute_score(fleet, ahead, weights)
    scale = max(before, 1.0)
    for source, residents in enumerate(fleet):
        each = loads_of([c for c, _ in residents], [r for _, r in residents], ahead)
        targets = [target for target in range(instances) if target != source]
        changes = forecast_of(fleet, ahead, weights).change(source, targets, each)
        assert changes.shape == (len(residents), len(targets))
        for k, target in enumerate(targets):
            for j, request in enumerate(residents):
                after = [list(others) for others in fleet]
                after[source].remove(request)
                after[target].append(request)
                expected = brute_score(after, ahead, weights) - before
                assert changes[j, k] == pytest.approx(expected, rel=1e-6, abs=1e-9 * scale)
                moved = forecast_of(fleet, ahead, weights)
                moved.move(source, target, each[j])
                np.testing.assert_array_equal(moved.loads, forecast_of(after, ahead, weights).loads)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: horizon(0, 3), "horizon step = 0"),
        (lambda: horizon(5, 0), "horizon count = 0"),
        (lambda: discounted(horizon(1, 2), 0.0), "gamma = 0"),
        (lambda: discounted(horizon(1, 2), 1.1), "gamma = 1.1"),
        (lambda: LoadForecast([[1.0, 2.0]], [1.0]), r"shape \(1, 2\) and weights of shape \(1,\)"),
        (lambda: LoadForecast(np.zeros((0, 2)), [1.0, 1.0]), r"need \(n, h\) and \(h,\)"),
        (lambda: LoadForecast([[-1.0]], [1.0]), "loads: every number must be finite and >= 0"),
        (lambda: LoadForecast([[1.0]], [np.nan]), "weights: every number"),
        (lambda: LoadForecast([[1.0, 2.0]], [0.0, 0.0]), "one at least must be above 0"),
    ],
)
def test_wrong_input_is_refused(make, message):
    """Claim: naming what is wrong."""
    with pytest.raises(InputError, match=message):
        make()
