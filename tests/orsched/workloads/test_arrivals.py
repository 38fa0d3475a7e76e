"""Arrival processes: rates, variability, exact inversion, refusals. Intervals are at 99.99% (z = 3.89)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from orsched.errors import InputError
from orsched.workloads import GammaRenewal, MarkovModulatedPoisson, PiecewisePoisson, Poisson

Z = 3.89
N = 100_000

PROCESSES = [
    Poisson(3.0),
    GammaRenewal(3.0, 0.5),
    GammaRenewal(3.0, 0.0),
    PiecewisePoisson((0.0, 10.0), (1.0, 5.0)),
    PiecewisePoisson((0.0, 10.0), (0.0, 5.0), period_s=25.0),
    MarkovModulatedPoisson((10.0, 0.0), (2.0, 3.0)),
]


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
@pytest.mark.parametrize("n", [1, 2, 1000])
def test_times_are_finite_positive_and_sorted(process, n):
    """Every process gives n finite, non-decreasing times after time 0."""
    times = process.sample(n, rng())
    assert times.shape == (n,)
    assert times.dtype == np.float64
    assert np.isfinite(times).all()
    assert times[0] > 0
    assert (np.diff(times) >= 0).all()


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_same_seed_same_path(process):
    """A path is a function of the seed; another seed gives another path (a clock excepted)."""
    assert np.array_equal(process.sample(100, rng(1)), process.sample(100, rng(1)))
    if process != GammaRenewal(3.0, 0.0):
        assert not np.array_equal(process.sample(100, rng(1)), process.sample(100, rng(2)))


@pytest.mark.parametrize("cv", [1.0, 0.3, 3.0])
def test_renewal_gaps_have_the_stated_mean_and_cv(cv):
    """Gaps of GammaRenewal(rate, cv) have mean 1/rate and coefficient of variation cv."""
    gaps = np.diff(GammaRenewal(4.0, cv).sample(N, rng()), prepend=0.0)
    assert abs(gaps.mean() - 0.25) < Z * 0.25 * cv / np.sqrt(N)
    # The variance of a gamma sample variance: (kurtosis - 1) sigma^4 / n with kurtosis 3 + 6 cv^2.
    variance = (0.25 * cv) ** 2
    assert abs(gaps.var() - variance) < Z * variance * np.sqrt((2 + 6 * cv**2) / N)


def test_poisson_gaps_are_exponential():
    """Gaps of Poisson and of GammaRenewal with cv 1 pass a Kolmogorov-Smirnov test as exponential."""
    for process in (Poisson(4.0), GammaRenewal(4.0, 1.0)):
        gaps = np.diff(process.sample(N, rng()), prepend=0.0)
        assert stats.kstest(gaps, "expon", args=(0, 0.25)).pvalue > 1e-4


def test_clock():
    """Coefficient of variation 0 is a clock."""
    assert GammaRenewal(4.0, 0.0).sample(3, rng()) == pytest.approx([0.25, 0.5, 0.75])


def cumulative(process: PiecewisePoisson, times: np.ndarray) -> np.ndarray:
    """Integrate the rate from 0 to each time, by adding up overlaps with every piece."""
    starts = np.array(process.starts_s)
    ends = np.append(starts[1:], np.inf if process.period_s is None else process.period_s)
    rates = np.array(process.rates_per_s)
    period = process.period_s or np.inf
    cycles = np.floor(times / period)
    within = times - (cycles * period if np.isfinite(period) else 0)
    overlap = np.clip(within[:, None], starts, ends) - starts
    full = 0.0 if process.period_s is None else float(np.dot(ends - starts, rates))
    return cycles * full + overlap @ rates


steps = st.lists(st.tuples(st.floats(0.1, 50), st.one_of(st.just(0.0), st.floats(0.05, 20))), min_size=1, max_size=6)


@given(steps, st.booleans(), st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=20))
def test_inversion_is_exact(pieces, repeats, expected):
    """The cumulative rate at the inverse of u is u, with zero rates, with and without a period."""
    lengths, rates = zip(*pieces, strict=True)
    starts = (0.0, *np.cumsum(lengths)[:-1])
    if rates[-1] == 0:
        rates = (*rates[:-1], 1.0)
    process = PiecewisePoisson(starts, rates, period_s=float(sum(lengths)) if repeats else None)
    values = np.array(expected)
    assert cumulative(process, process.times_of(values)) == pytest.approx(values, rel=1e-9, abs=1e-9)


def test_piecewise_counts_follow_the_profile():
    """Over 2000 periods the counts of each piece match its rate, and a piece with rate 0 has none."""
    process = PiecewisePoisson((0.0, 2.0, 3.0), (5.0, 0.0, 20.0), period_s=4.0)
    assert process.rate_per_s == 7.5
    times = process.sample(60_000, rng())
    cycles = int(times[-1] // 4.0)
    phase = times[times < 4.0 * cycles] % 4.0
    counts, _ = np.histogram(phase, [0.0, 2.0, 3.0 - 1e-9, 4.0])
    mean = np.array([10.0, 0.0, 20.0]) * cycles
    assert counts[1] == 0
    assert (np.abs(counts - mean) <= Z * np.sqrt(mean)).all()


def test_last_rate_continues_without_a_period():
    """Without a period the last rate goes on, and is the long-run rate."""
    process = PiecewisePoisson((0.0, 5.0), (0.0, 2.0))
    assert process.rate_per_s == 2.0
    assert process.times_of(np.array([1.0, 2000.0])) == pytest.approx([5.5, 1005.0])


def test_modulated_rate_and_dispersion():
    """T_n of MMPP(2) has mean n / rate and the variance its asymptotic index of dispersion predicts."""
    process = MarkovModulatedPoisson((9.0, 1.0), (2.0, 6.0))
    rate = 3.0
    assert process.rate_per_s == rate
    p, q, decay = 0.25, 0.75, 1 / 2 + 1 / 6
    dispersion = 1 + 2 * p * q * (9.0 - 1.0) ** 2 / (rate * decay)
    n, replications = 2000, 2000
    last = np.array([process.sample(n, stream)[-1] for stream in rng().spawn(replications)])
    variance = n * dispersion / rate**2
    assert abs(last.mean() - n / rate) < Z * np.sqrt(variance / replications) + 5 * np.sqrt(dispersion) / rate
    assert last.var() == pytest.approx(variance, rel=Z * np.sqrt(2 / replications) + 0.03)


def test_modulated_stream_is_stationary_from_time_zero():
    """In the first second, much shorter than a stay, the mean count is already the stationary rate."""
    process = MarkovModulatedPoisson((8.0, 0.5), (10.0, 30.0))
    rate = 2.375
    assert process.rate_per_s == rate
    counts = np.array([(process.sample(60, stream) < 1.0).sum() for stream in rng().spawn(4000)])
    assert abs(counts.mean() - rate) < Z * counts.std() / np.sqrt(len(counts))


def test_three_states_in_turn():
    """More than two states are visited in turn; the rate is weighted by the stays."""
    process = MarkovModulatedPoisson((4.0, 0.0, 1.0), (1.0, 1.0, 2.0))
    assert process.rate_per_s == 1.5
    times = process.sample(N, rng())
    assert N / times[-1] == pytest.approx(1.5, rel=0.03)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Poisson(0.0), "Poisson.rate_per_s = 0.0"),
        (lambda: Poisson(float("nan")), "Poisson.rate_per_s = nan"),
        (lambda: Poisson(float("inf")), "Poisson.rate_per_s = inf"),
        (lambda: Poisson("4"), "Poisson.rate_per_s = '4'"),
        (lambda: Poisson(True), "Poisson.rate_per_s = True"),
        (lambda: GammaRenewal(1.0, -1.0), "GammaRenewal.cv = -1.0: must be a finite number >= 0 and <= 100"),
        (lambda: GammaRenewal(-1.0, 1.0), "GammaRenewal.rate_per_s = -1.0"),
        (lambda: PiecewisePoisson((1.0,), (1.0,)), "must begin at 0"),
        (lambda: PiecewisePoisson((0.0, 0.0), (1.0, 1.0)), "increase strictly"),
        (lambda: PiecewisePoisson((0.0,), (1.0, 2.0)), "one rate each"),
        (lambda: PiecewisePoisson((0.0, 1.0), (1.0, 0.0)), "give period_s"),
        (lambda: PiecewisePoisson((0.0, 1.0), (0.0, 0.0), 2.0), "no request would ever arrive"),
        (lambda: PiecewisePoisson((0.0, 1.0), (1.0, -2.0)), "finite and >= 0"),
        (lambda: PiecewisePoisson((0.0, 1.0), (1.0, 2.0), 1.0), "PiecewisePoisson.period_s = 1.0"),
        (lambda: PiecewisePoisson((), ()), "non-empty tuple"),
        (lambda: MarkovModulatedPoisson((1.0,), (1.0, 2.0)), "one each"),
        (lambda: MarkovModulatedPoisson((0.0, 0.0), (1.0, 2.0)), "no request would ever arrive"),
        (lambda: MarkovModulatedPoisson((1.0, 2.0), (1.0, 0.0)), "must all be > 0"),
        (lambda: MarkovModulatedPoisson((1.0, float("nan")), (1.0, 1.0)), "finite and >= 0"),
        (lambda: MarkovModulatedPoisson((1.0, 2.0), (1e-5, 1e-5)), "use Poisson"),
    ],
)
def test_bad_parameters_are_refused(build, message):
    """A parameter outside its range is refused, naming field, value and what is allowed."""
    with pytest.raises(InputError) as caught:
        build()
    assert message in str(caught.value)
