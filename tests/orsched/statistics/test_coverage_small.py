"""A few hundred intervals from the engine: a method that is broken is seen within seconds.

Coverage to a per cent needs thousands of intervals: test_coverage_table measures that. Each test here accepts a count
when some true coverage between 93% and 97% explains it with a probability above 0.1% on either side, so a correct
method fails with at most that probability under a fresh seed; an interval of half the width fails (`test_power`).
"""

import numpy as np
import pytest
from coverage_study import (
    Row,
    differences,
    expected_percentiles_s,
    independent,
    means,
    one_run,
    quantiles,
    replications,
    sequential,
    ties,
)
from known_queues import bulk, md1, mg1, mm1
from scipy.stats import norm

from orsched.statistics.estimate import estimate


@pytest.mark.parametrize("queue", [md1(0.5), mm1(0.4), mg1(0.3), bulk(3.0)], ids=lambda queue: queue.name)
def test_the_engine_gives_the_known_mean(queue):
    """Claim: the mean sojourn time of each queue is the one known (one 99.9% interval each)."""
    assert estimate(means(queue, 100), 0.999).contains(queue.mean_s)


@pytest.mark.parametrize("queue", [md1(0.4), bulk(3.0)], ids=lambda queue: queue.name)
def test_replications(queue):
    """Claim: Student-t over 10 replications covers the mean."""
    found = replications(queue, means(queue, 800, requests=80, skip=20), per=10)
    assert found.trials == 80
    assert found.compatible()


def test_sequential():
    """Claim: stopping at a relative half-width of 5% after at least 10 replications covers the mean."""
    found = sequential(md1(0.4), means(md1(0.4), 800, requests=80, skip=20), 0.05)
    assert found.trials >= 30
    assert found.compatible()


def test_one_run():
    """Claim: batch means cover the mean."""
    assert one_run(md1(0.4), 40, requests=1050, skip=50, batches=10).compatible()


def test_quantiles():
    """Claim: percentiles of paths cover the expected percentile of such a path."""
    rows = list(quantiles(md1(0.6), 10, requests=150, skip=50, per=10, paths=400))
    assert [row.truth for row in rows][:3] == ["p50 of a path", "p50, steady state", "p50, steady state"]
    assert all(row.compatible() for row in rows if row.truth in ("p50 of a path", "p90 of a path"))


def test_expected_percentiles_are_those_of_the_engine():
    """Claim: Lindley's recursion and the engine agree on what a path's percentiles are."""
    queue = md1(0.6)
    known = expected_percentiles_s(queue, 120, 20, paths=1500)
    seen = [np.quantile(queue.sojourns_s(120, child)[0][20:], 0.9) for child in np.random.SeedSequence(8).spawn(200)]
    assert estimate(seen, 0.999).mean == pytest.approx(known[90], rel=0.1)


@pytest.mark.parametrize(("percent", "n"), [(50, 50), (90, 100)])
def test_order_statistics(percent, n):
    """Claim: distribution-free intervals cover at least at their level, and by no more than the binomial's steps."""
    assert independent(percent, n, 300).compatible(0.95, 0.985)


def test_differences():
    """Claim: paired differences of two policies cover Cobham's, and the ranking's limit is above it."""
    mean, difference, limit = differences(25, requests=120, skip=30, per=10)
    assert all(row.compatible() for row in (mean, difference, limit))


def test_ties():
    """Claim: of four policies with exactly the same mean each is kept as possibly the best."""
    *each, together = ties(25, requests=50, per=10)
    assert all(row.compatible(0.95, 1.0) for row in each)
    assert together.compatible(0.80, 1.0)


def test_power():
    """Claim: what these tests accept excludes intervals of half the width at 80 trials, nearly always."""
    half = 2 * norm.cdf(norm.ppf(0.975) / 2) - 1
    counts = np.random.default_rng(1).binomial(80, half, 1000)
    assert np.mean([Row("", "", "", 80, int(count)).compatible() for count in counts]) < 0.01
