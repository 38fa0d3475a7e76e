"""Predictors: what each promises, the bundled counts, and their names."""

import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import random_workload, seeds

from orsched import Workload, workload
from orsched.errors import InputError, UnknownNameError
from policies import PREDICTORS, build_predictor, get_predictor
from policies.parts.bins import LengthBins
from policies.predictors import ClassMean, Confusion, Empirical, Interval, Noise, Oracle, Quantile, UniformNoise
from policies.predictors.confusion import confusions, read_confusions

PAGE = Path(__file__).parents[2] / "docs" / "predictors.md"
TEXTS = (
    "oracle",
    "class-mean",
    "class-mean:3",
    "quantile:0.9",
    "interval:0.4",
    "noise:0.5",
    "uniform:0.8",
    "empirical",
    "static",
    "flat",
    "flat:7",
    "refreshed",
    "refreshed:50",
    "refreshed:7:2",
)


def of_lengths(*outputs):
    return Workload.of(np.arange(len(outputs)), np.full(len(outputs), 10), outputs)


@pytest.mark.parametrize("text", TEXTS)
def test_predictions_are_whole_tokens_in_their_interval_and_follow_the_generator(text):
    """Claim: every predictor gives 1 <= low <= point <= high for each request, the same for the same generator."""
    work = random_workload(3, n=300, longest_output=900)
    predictor = build_predictor(text, work)
    first, second = (predictor(work, np.random.default_rng(1)) for _ in range(2))
    assert len(first.point) == len(work)
    assert (first.low >= 1).all()
    assert (first.low <= first.point).all()
    assert (first.point <= first.high).all()
    for column in ("low", "point", "high"):
        np.testing.assert_array_equal(getattr(first, column), getattr(second, column))


def test_the_oracle_and_the_noise_of_size_nought_are_the_truth():
    """Claim: four ways to say the truth."""
    work = random_workload(5)
    for predictor in (Oracle(), Noise(0.0), UniformNoise(0.0), Interval(1.0)):
        found = predictor(work, np.random.default_rng(0))
        for column in (found.low, found.point, found.high):
            np.testing.assert_array_equal(column, work.output_tokens)


@given(st.floats(1e-6, 1), seeds, st.integers(1, 2**31 - 1))
def test_an_interval_contains_the_truth_and_has_its_ratio(alpha, seed, longest):
    """Claim: l <= o <= u in whole tokens, always; l is within half a token of alpha u unless that is below one token;
    the point is u."""
    outputs = np.random.default_rng(seed).integers(1, longest, 50, endpoint=True)
    found = Interval(alpha)(of_lengths(*outputs), np.random.default_rng(seed))
    assert (found.low <= outputs).all()
    assert (outputs <= found.high).all()
    np.testing.assert_array_equal(found.point, found.high)
    off = np.abs(found.low - alpha * found.high)
    assert ((off <= 0.5 * (1 + 1e-9)) | ((found.low == 1) & (alpha * found.high < 1))).all()


def test_the_place_of_the_truth_in_its_interval_is_uniform():
    """Claim: mean 1/2 and variance 1/12 of (o - l)/(u - l), for long outputs."""
    outputs = np.full(20_000, 100_000)
    found = Interval(0.5)(of_lengths(*outputs), np.random.default_rng(2))
    place = (outputs - found.low) / (found.high - found.low)
    assert abs(place.mean() - 1 / 2) < 5 * np.sqrt(1 / 12 / len(place))
    assert abs(place.var() - 1 / 12) < 0.005


def test_log_normal_noise_has_median_one_and_its_sigma():
    """Claim: log(point / truth) is normal with mean 0 and standard deviation sigma, for long outputs."""
    outputs = np.full(20_000, 1_000_000)
    logs = np.log(Noise(0.5)(of_lengths(*outputs), np.random.default_rng(2)).point / outputs)
    assert abs(logs.mean()) < 5 * 0.5 / np.sqrt(len(logs))
    assert abs(logs.std() - 0.5) < 0.015
    assert abs((logs < 0).mean() - 0.5) < 0.02


@given(st.floats(0, 0.99), seeds)
def test_uniform_noise_stays_within_its_size(eps, seed):
    """Claim: |point - o| <= eps o + 1/2."""
    work = random_workload(seed, longest_output=3000)
    found = UniformNoise(eps)(work, np.random.default_rng(seed))
    assert (np.abs(found.point - work.output_tokens) <= eps * work.output_tokens + 0.5 + 1e-9).all()


def test_class_means_by_hand():
    """Claim: lengths 2, 4 | 10, 20 in two bins have means 3 and 15; without bins one mean, 9; an empty class has the
    mean of all."""
    work = of_lengths(2, 4, 10, 20)
    assert ClassMean.of(work, LengthBins((), (5,))).means == (3, 15)
    assert ClassMean.of(work).means == (9,)
    assert ClassMean.of(work, LengthBins((), (5, 50))).means == (3, 15, 9)
    new = of_lengths(4, 5, 400)
    found = ClassMean.of(work, LengthBins((), (5,)))(new, np.random.default_rng(0))
    assert found.point.tolist() == [3, 15, 15]


def test_quantiles_by_hand():
    """Claim: of the lengths 1..100 the 90% quantile is 90 and the interval 5 to 95; at level 0.99 it reaches to 99;
    prompt bins have quantiles of their own."""
    outputs = np.arange(1, 101)
    work = of_lengths(*outputs)
    found = Quantile.of(work, 0.9)(of_lengths(7, 700), np.random.default_rng(0))
    assert (found.point.tolist(), found.low.tolist(), found.high.tolist()) == ([90, 90], [5, 5], [95, 95])
    assert Quantile.of(work, 0.99).high == (99,)
    split = Workload.of(outputs, np.where(outputs <= 50, 10, 1000), outputs)
    binned = Quantile.of(split, 0.5, input_bins=2)
    assert (binned.input_edges, binned.point) == ((11,), (25, 75))
    assert binned(split, np.random.default_rng(0)).point[[0, 99]].tolist() == [25, 75]


def test_a_quantile_is_exceeded_as_often_as_it_says():
    """Claim: on the workload it was learnt from the truth is at most the point in a share of at least `level`."""
    work = workload("azure-conv")
    for level in (0.1, 0.5, 0.9):
        found = Quantile.of(work, level, input_bins=4)(work, np.random.default_rng(0))
        assert level <= (work.output_tokens <= found.point).mean() <= level + 0.03
        assert ((found.low <= work.output_tokens) & (work.output_tokens <= found.high)).mean() >= 0.9


def test_the_bundled_counts_are_those_of_the_readme():
    """Claim: 262 rows, 85,482 requests for each classifier, lengths 2 to 511, classes at quantiles of the lengths."""
    found = confusions()
    assert sorted(found) == ["cls", "multi_cls"]
    assert sum(int((c.counts > 0).sum()) for c in found.values()) == 262
    for confusion in found.values():
        assert confusion.counts.sum() == 85_482
        assert (confusion.true_low[0], confusion.true_high[-1]) == (2, 511)
    assert found["cls"].class_low.tolist() == [1, 141, 503]
    assert found["multi_cls"].class_low.tolist() == [1, 42, 141, 294, 503]
    below = np.interp([42, 141, 294, 503], *share_below(found["multi_cls"]))
    assert np.abs(below - [0.25, 0.5, 0.75, 0.99]).max() < 0.004


def share_below(confusion):
    counts = confusion.counts.sum(axis=1)
    shares = np.concatenate([[0], counts.cumsum()]) / counts.sum()
    return np.append(confusion.true_low, confusion.true_high[-1] + 1), shares


@pytest.mark.parametrize("model", ["cls", "multi_cls"])
def test_an_empirical_predictor_errs_as_measured(model):
    """Claim: for 40,000 lengths of one bin the predicted classes have the measured shares (5 sigma); accuracy and error
    on lengths drawn like the measured ones are those that `Confusion` says and that the page prints."""
    confusion, n = confusions()[model], 40_000
    predictor = Empirical(model)
    row = int(np.searchsorted(confusion.true_low, 200, side="right") - 1)
    found = predictor(of_lengths(*np.full(n, 200)), np.random.default_rng(0))
    for k, point in enumerate(predictor.points):
        share = confusion.shares[row, k]
        assert abs((found.point == point).mean() - share) <= 5 * np.sqrt(share * (1 - share) / n)
    rng = np.random.default_rng(1)
    counts = confusion.counts.sum(axis=1)
    rows = rng.choice(len(counts), n, p=counts / counts.sum())
    lengths = rng.integers(confusion.true_low[rows], confusion.true_high[rows], endpoint=True)
    drawn = predictor(of_lengths(*lengths), rng)
    error = confusion.mean_absolute_error(predictor.points)
    assert abs(np.abs(drawn.point - lengths).mean() - error) < 1.5
    k = np.searchsorted(predictor.points, drawn.point)
    hits = (confusion.class_low[k] <= lengths) & (lengths <= confusion.class_high[k])
    assert abs(hits.mean() - confusion.accuracy) < 5 * np.sqrt(0.25 / n)
    printed = re.search(rf"^\| `{model}` \|.*?\| ([\d.]+)% \| ([\d.]+) \|$", PAGE.read_text(), flags=re.MULTILINE)
    assert printed
    assert [float(value) for value in printed.groups()] == [round(100 * confusion.accuracy, 1), round(error, 1)]


def test_lengths_beyond_the_measured_ones_err_as_the_nearest():
    """Claim: one token counts as the first bin, 512 tokens and more as the last."""
    confusion = confusions()["multi_cls"]
    assert confusion.bin_of(np.array([1, 2, 511, 512, 10_000])).tolist() == [0, 0, 33, 33, 33]


def test_an_empirical_interval_is_the_class_widened_to_its_point():
    """Claim: the point of the top class lies below the class, so its interval begins at the point; the others are the
    classes themselves."""
    predictor = Empirical("multi_cls")
    found = predictor(of_lengths(*np.full(4000, 480)), np.random.default_rng(0))
    ends = {(int(p), int(a), int(b)) for p, a, b in zip(found.point, found.low, found.high, strict=True)}
    assert (predictor.points[4], predictor.points[4], 511) in ends
    assert (predictor.points[3], 294, 502) in ends
    assert predictor.points[4] < 503


ROWS = pd.DataFrame(
    {
        "classifier": "mine",
        "predicted_class": [0, 1, 0, 1],
        "class_low_tokens": [1, 11, 1, 11],
        "class_high_tokens": [10, 20, 10, 20],
        "true_low_tokens": [1, 1, 11, 11],
        "true_high_tokens": [10, 10, 20, 20],
        "count": [8, 2, 1, 9],
    }
)


def test_a_confusion_by_hand():
    """Claim: 17 of 20 right; class means are the middles of the bins, weighted by the counts."""
    found = Confusion.of(ROWS)
    assert found.accuracy == 0.85
    np.testing.assert_allclose(found.class_means, [(8 * 5.5 + 15.5) / 9, (2 * 5.5 + 9 * 15.5) / 11])
    # |6 - o| over 1..10 has mean 2.5, over 11..20 mean 9.5; |14 - o| has 8.5 and 2.5 + 0.5 = 3.
    expected = (8 * 2.5 + 1 * 9.5 + 2 * 8.5 + 9 * np.abs(np.arange(11, 21) - 14).mean()) / 20
    assert found.mean_absolute_error(np.array([6, 14])) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"true_low_tokens": [1, 1, 12, 12]}, "bins of true length .* overlap or leave gaps"),
        ({"class_high_tokens": [11, 20, 11, 20]}, "classes .* overlap or leave gaps"),
        ({"predicted_class": [0, 2, 0, 2]}, "numbered from 0 without gaps"),
        ({"count": [8, 0, 1, 9]}, "a count >= 1"),
    ],
)
def test_counts_that_make_no_table_are_refused(change, message):
    """Claim: the loader names what is wrong."""
    with pytest.raises(InputError, match=message):
        Confusion.of(ROWS.assign(**change))


def test_a_file_without_a_column_is_refused(tmp_path):
    """Claim: a missing column is named; a good file is read."""
    ROWS.to_parquet(tmp_path / "good.parquet")
    assert list(read_confusions(tmp_path / "good.parquet")) == ["mine"]
    ROWS.drop(columns="count").to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(InputError, match="no column count"):
        read_confusions(tmp_path / "bad.parquet")


@pytest.mark.parametrize("text", TEXTS)
def test_names_are_read_back(text):
    """Claim: a predictor's name builds an equal predictor; predictors are frozen."""
    work = random_workload(2)
    predictor = build_predictor(text, work)
    assert build_predictor(predictor.name, work) == predictor
    with pytest.raises((FrozenInstanceError, TypeError)):
        predictor.name = "other"


def test_every_name_is_described():
    """Claim: usage begins with the name, and the page has a row for it."""
    page = PAGE.read_text()
    for name, kind in PREDICTORS.items():
        assert kind.usage.startswith(name)
        assert f"| `{kind.usage}` |" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noize:1", "did you mean 'noise'"),
        ("noise", "needs a number after the colon"),
        ("noise:much", "'much' is not a number"),
        ("noise:-1", "Noise.sigma = -1"),
        ("uniform:1", ">= 0 and < 1"),
        ("interval:0", ">= 1e-06 and <= 1"),
        ("quantile:1", "> 0 and < 1"),
        ("quantile:nan", "> 0 and < 1"),
        ("class-mean:1.5", "whole number from 1 to 1000"),
        ("class-mean:inf", "whole number from 1 to 1000"),
        ("oracle:1", "takes no parameter"),
        ("static:1", "takes no parameter"),
        ("flat:0", "0 tokens: must be a whole number from 1 to"),
        ("flat:much", "'much' is not a number"),
        ("refreshed:2.5", "2.5 tokens: must be a whole number from 1 to"),
        ("refreshed:20:0", "> 0 and <= 8"),
        ("refreshed:20:", "'' is not a number"),
        ("empirical:bert", "known: cls, multi_cls"),
    ],
)
def test_wrong_texts_are_answered_with_what_is_allowed(text, message):
    """Claim: unknown names suggest the nearest, wrong parameters say what they must be."""
    with pytest.raises(InputError, match=re.escape(message)):
        build_predictor(text, random_workload(1))


def test_what_is_learnt_needs_a_workload():
    """Claim: `get_predictor` builds what needs none, and says what to call for the others."""
    assert get_predictor("uniform:0.2") == UniformNoise(0.2)
    for text in ("quantile:0.5", "class-mean"):
        with pytest.raises(InputError, match="build_predictor"):
            get_predictor(text)
    with pytest.raises(UnknownNameError):
        get_predictor("")
    with pytest.raises(InputError, match="2 means"):
        ClassMean(LengthBins((), (5,)), (3,))
    with pytest.raises(InputError, match="1 quantiles each"):
        Quantile(0.5, (0.05, 0.95), (), (1, 2), (3,), (4,))
    with pytest.raises(InputError, match="must not decrease"):
        Quantile(0.5, (0.05, 0.95), (), (4,), (3,), (5,))
    with pytest.raises(InputError, match=r"two levels around 0\.5"):
        Quantile(0.5, (0.6, 0.95), (), (1,), (3,), (4,))
