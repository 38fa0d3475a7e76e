"""Predicted remaining lengths: their law, its calibration, and that nobody's asking changes them."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import build, random_workload, seeds, tight_hardware
from laws import assert_exact
from scipy.integrate import quad

from orsched import Fleet, Information, Workload
from orsched.errors import InputError
from orsched.service import Affine
from policies import RECIPES
from policies.predictors import ErrorDecay, Flat, Noise, Refreshed, Static, remaining_paths
from policies.predictors.error_decay import relative_error, sigma_of

KNOWING = sorted(name for name, recipe in RECIPES.items() if recipe.information > Information.NONE)
Z_999 = 3.29
"""Two-sided 99.9% quantile of the normal distribution."""


def of_lengths(*outputs):
    return Workload.of(np.arange(len(outputs)), np.full(len(outputs), 10), outputs)


def asked_again(predictor, outputs, seed=0):
    """The predictions and their refresher."""
    found = predictor(of_lengths(*outputs), np.random.default_rng(seed))
    return found, found.refresher


def log_errors(predictor, length, emitted, n, seed=0):
    """Log of predicted over true remaining length of `n` requests at each of the tokens `emitted`."""
    _, remaining = asked_again(predictor, np.full(n, length), seed)
    predicted = np.array([[remaining(request, g) for g in emitted] for request in range(n)])
    return np.log(predicted / (length - np.array(emitted)))


def test_the_mean_absolute_error_of_a_log_normal_factor():
    """Claim: by hand, sigma 1 errs by sqrt(e) 0.682689; for others the closed form is the integral of
    |exp(sigma z) - 1| against the normal density, and `sigma_of` inverts it."""
    assert relative_error(1.0) == pytest.approx(1.648721 * 0.682689, rel=1e-6)
    assert relative_error(0.0) == sigma_of(0.0) == 0.0
    for sigma in (0.05, 0.158, 0.642, 2.0):
        integral, _ = quad(
            lambda z, s=sigma: abs(math.exp(s * z) - 1) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
            -12,
            12,
            points=[0],
        )
        assert relative_error(sigma) == pytest.approx(integral, rel=1e-7)
        assert sigma_of(integral) == pytest.approx(sigma, rel=1e-6)


def test_the_published_decay_by_hand():
    """Claim: relative errors 18,256 / 31,000 and 2,929 / 23,000 are those of sigma 0.6421 and 0.1583; with constant
    evidence 1 + 8000 / c = (0.6421 / 0.1583)^2, so c is 517.5 tokens; every exponent passes through both."""
    decay = ErrorDecay.published()
    assert (decay.first, decay.exponent) == (pytest.approx(0.64211, abs=1e-5), 0.5)
    assert decay.scale_tokens == pytest.approx(8000 / ((0.642107 / 0.158278) ** 2 - 1), rel=1e-4)
    for exponent in (0.25, 0.5, 1, 4, 8):
        first, later = ErrorDecay.published(exponent).sigma(np.array([0.0, 8000.0]))
        assert relative_error(first) * 31_000 == pytest.approx(18_256, rel=1e-9)
        assert relative_error(later) * 23_000 == pytest.approx(2_929, rel=1e-9)


def test_the_sigma_falls_with_every_token():
    """Claim: strictly, for every exponent; with exponent 1/2 each token adds the same precision."""
    emitted = np.arange(0.0, 100_000, 7)
    for exponent in (0.1, 0.5, 1, 8):
        assert (np.diff(ErrorDecay.published(exponent).sigma(emitted)) < 0).all()
    evidence = np.diff(ErrorDecay.published().sigma(emitted) ** -2)
    np.testing.assert_allclose(evidence, evidence[0], rtol=1e-6)


@pytest.mark.parametrize(("period", "n"), [(2000, 40_000), (20, 4_000)])
def test_the_published_errors_are_met(period, n):
    """Claim: outputs of 30,000 to 32,000 tokens err by 18,256 before the first token and by 2,929 after 8,000: both lie
    within the 99.9% interval of the sampled mean, which is less than 8% wide to either side."""
    outputs = np.random.default_rng(1).integers(30_000, 32_000, n, endpoint=True)
    _, remaining = asked_again(Refreshed(period), outputs, seed=2)
    for emitted, published in ((0, 18_256), (8_000, 2_929)):
        errors = np.abs([remaining(request, emitted) - (o - emitted) for request, o in enumerate(outputs)])
        half_width = Z_999 * errors.std() / np.sqrt(n)
        assert half_width < 0.08 * published
        assert abs(errors.mean() - published) < half_width


def test_errors_of_a_request_move_together():
    """Claim: log errors are normal with median 0 and the law's sigma, corr(e_j, e_k) = sigma_k / sigma_j, and what
    refreshes change is uncorrelated with the error left (each within 5 standard errors)."""
    n, emitted = 20_000, [0, 500, 2_000, 20_000]
    errors = log_errors(Refreshed(500), 50_000, emitted, n)
    sigma = ErrorDecay.published().sigma(np.array(emitted, dtype=float))
    assert (np.abs(errors.mean(axis=0)) < 5 * sigma / np.sqrt(n)).all()
    assert (np.abs((errors < 0).mean(axis=0) - 0.5) < 5 * 0.5 / np.sqrt(n)).all()
    np.testing.assert_allclose(errors.std(axis=0), sigma, rtol=5 / np.sqrt(2 * n))
    expected = np.minimum.outer(sigma, sigma) / np.maximum.outer(sigma, sigma)
    np.testing.assert_allclose(np.corrcoef(errors.T), expected, atol=5 / np.sqrt(n))
    for earlier, later in zip(errors.T, errors.T[1:], strict=False):
        assert abs(np.corrcoef(earlier - later, later)[0, 1]) < 5 / np.sqrt(n)


def test_the_error_falls_as_tokens_are_generated():
    """Claim: the mean relative error of 3,000 requests falls from refresh to refresh of 1,000 tokens; that of `Flat` is
    one number per request, for ever."""
    emitted = range(0, 30_000, 3_000)
    falling = np.abs(np.expm1(log_errors(Refreshed(1_000), 50_000, emitted, 3_000))).mean(axis=0)
    assert (np.diff(falling) < 0).all()
    flat = log_errors(Flat(1_000), 50_000, emitted, 300)
    np.testing.assert_allclose(flat, np.broadcast_to(flat[:, :1], flat.shape), atol=1e-3)


any_predictor = st.sampled_from([Refreshed(), Refreshed(1, 4), Refreshed(7, 0.25), Refreshed(10**9), Flat(), Flat(3)])
lengths = st.lists(st.integers(1, 400), min_size=1, max_size=12)


@given(any_predictor, lengths, seeds)
def test_what_is_left_is_at_least_one_token_until_the_last(predictor, outputs, seed):
    """Claim: after every token but the last of a request, and beyond, it is a finite whole number >= 1; at first it is
    the point; between refreshes it counts down by one a token, to no less than 1."""
    found, remaining = asked_again(predictor, outputs, seed)
    for request, length in enumerate(outputs):
        path = [remaining(request, g) for g in range(length + 3)]
        assert path[0] == found.point[request]
        assert all(value >= 1 and value == int(value) for value in path)
        for g in range(1, length):
            if g % predictor.period_tokens:
                assert path[g] == max(path[g - 1] - 1, 1)


@given(any_predictor, lengths, seeds, st.randoms())
def test_the_order_of_questions_changes_nothing(predictor, outputs, seed, random):
    """Claim: the same seed gives the same answers in any order, repeated or not, whatever else was asked."""
    _, in_order = asked_again(predictor, outputs, seed)
    _, shuffled = asked_again(predictor, outputs, seed)
    questions = [(request, g) for request, length in enumerate(outputs) for g in range(0, length, 5)]
    answers = {question: in_order(*question) for question in questions}
    random.shuffle(questions)
    for question in questions[: len(questions) // 2] + questions:
        assert shuffled(*question) == answers[question]


def test_a_path_that_was_dropped_comes_back_the_same():
    """Claim: after more requests than are kept at a time the first one's predictions are drawn again, unchanged."""
    outputs = np.full(remaining_paths.KEPT_PATHS + 5, 90)
    _, remaining = asked_again(Refreshed(), outputs)
    before = [remaining(0, g) for g in range(90)]
    for request in range(1, len(outputs)):
        remaining(request, 0)
    assert [remaining(0, g) for g in range(90)] == before


def test_a_request_does_not_depend_on_the_lengths_of_others_nor_share_their_noise():
    """Claim: changing everybody else's length changes nothing for a request; two requests of one length differ."""
    _, one = asked_again(Refreshed(), [5_000, 5_000, 5_000])
    _, other = asked_again(Refreshed(), [17, 5_000, 900])
    emitted = range(0, 5_000, 20)
    assert [one(1, g) for g in emitted] == [other(1, g) for g in emitted]
    assert [one(0, g) for g in emitted] != [one(1, g) for g in emitted]
    _, again = asked_again(Refreshed(), [5_000, 5_000, 5_000], seed=1)
    assert [one(1, g) for g in emitted] != [again(1, g) for g in emitted]


def test_static_is_where_the_others_begin():
    """Claim: under one seed `static`, `flat`, `refreshed` of any kind and `noise` of that sigma predict the same at the
    prompt; `static` alone brings no refresher."""
    work = random_workload(8, n=500, longest_output=5_000)
    points = [
        predictor(work, np.random.default_rng(3))
        for predictor in (Static(), Noise(ErrorDecay.published().first), Flat(), Refreshed(), Refreshed(3, 2))
    ]
    for found in points:
        np.testing.assert_array_equal(found.point, points[0].point)
        np.testing.assert_array_equal(found.point, found.low)
        np.testing.assert_array_equal(found.point, found.high)
    assert [found.refresher is None for found in points] == [True, True, False, False, False]


def test_a_label_average_of_a_flat_error_is_half_the_static_one():
    """Claim: with m the same relative error, the labels g = 0, 20, .. of outputs far above 20 tokens average
    m (o - g) against m o: sampled within 1% of one half, as each request keeps its factor."""
    outputs = np.random.default_rng(0).integers(2_000, 32_000, 300)
    found, remaining = asked_again(Flat(), outputs)
    refreshed = once = 0.0
    for request, length in enumerate(outputs):
        for g in range(0, length, 20):
            refreshed += abs(remaining(request, g) - (length - g))
            once += abs(found.point[request] - length)
    assert refreshed / once == pytest.approx(0.5, rel=0.01)


def test_the_page_prints_what_the_law_says_of_uniform_lengths():
    """Claim: over labels every 20 tokens of lengths uniform on 1 to 32,000 the errors m(sigma(g)) (o - g) average to
    what the page's sampled means say, to twice their half widths; the changes to half a point."""
    page = (Path(__file__).parents[2] / "docs" / "predictors.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| uniform, 1 to 32,000 |"))
    static, flat, refreshed, *changes = [
        [float(number) for number in cell.replace(",", "").split(" ± ")] for cell in row.split("|")[2:-1]
    ]
    emitted, outputs = np.arange(0, 32_000, 20), np.arange(1, 32_001)
    left = np.array([(outputs[outputs > g] - g).sum() for g in emitted])
    labels = sum((outputs > g).sum() for g in emitted)
    by_law = [
        left @ [relative_error(s) for s in ErrorDecay.published(exponent).sigma(emitted * 1.0)] / labels
        for exponent in (0.5, 4)
    ]
    first = relative_error(ErrorDecay.published().first)
    once = first * sum(outputs[outputs > g].sum() for g in emitted) / labels
    expected = (once, first * left.sum() / labels, by_law[0])
    for (printed, half_width), value in zip((static, flat, refreshed), expected, strict=True):
        assert abs(printed - value) < 2 * half_width
    for (printed, _), value in zip(changes, (expected[1], *by_law), strict=True):
        assert abs(printed - 100 * (value / once - 1)) < 0.5


@pytest.mark.parametrize("name", KNOWING)
@settings(max_examples=3)
@given(seed=seeds, predictor=st.sampled_from([Static(), Flat(), Refreshed()]))
def test_policies_survive_them(name, seed, predictor):
    """Claim: under every policy that uses lengths everybody completes in scarce memory, and the run is exact."""
    work = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(Affine(0.012, 60e-6, 50e-6, 0.12e-6), seed, 16))
    policy = build(name, work, fleet)
    if policy is not None:
        assert_exact(work, fleet, policy.predicted_by(predictor))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Refreshed(0), "Refreshed.period_tokens = 0"),
        (lambda: Refreshed(20, 0.0), "exponent = 0"),
        (lambda: Refreshed(20, 9.0), "exponent = 9"),
        (lambda: Flat(2.5), "Flat.period_tokens = 2.5"),
        (lambda: ErrorDecay(0.0, 1.0), "ErrorDecay.first = 0"),
        (lambda: ErrorDecay(0.5, 0.0), "ErrorDecay.scale_tokens = 0"),
        (lambda: ErrorDecay.through(0.5, 100, 0.5, 1.0), "must fall"),
        (lambda: ErrorDecay.through(0.5, 100, 0.0, 1.0), "stay above 0"),
        (lambda: sigma_of(-1.0), "relative error = -1"),
        (lambda: sigma_of(math.nan), "relative error = nan"),
    ],
)
def test_wrong_numbers_are_refused(make, message):
    """Claim: each mistake is answered with the field, its value and what is allowed."""
    with pytest.raises(InputError, match=message):
        make()
