"""Lines with fewer points: nothing that can be seen is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experiments.report.charts.thinning import SEEN, four_digits, rounded, shares, thinned

STEPS = arrays(float, st.integers(1, 60), elements=st.floats(0, 1))


def distances(point, corners):
    """From a point to each segment of a line."""
    start, along = corners[:-1], np.diff(corners, axis=0)
    lengths = np.maximum((along**2).sum(axis=1), 1e-300)
    places = np.clip(((point - start) * along).sum(axis=1) / lengths, 0, 1)
    return np.hypot(*(start + places[:, None] * along - point).T)


@given(STEPS, st.sampled_from([SEEN, 0.01, 0.2]))
def test_no_point_left_out_is_far_from_the_line(heights, tolerance):
    """Claim: every point is within the tolerance of the line through those kept; both ends are kept."""
    xs = np.linspace(0, 1, len(heights))
    points = np.stack([xs, heights], axis=1)
    kept = thinned(xs, heights, tolerance)
    assert {0, len(heights) - 1} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
    for index in sorted(set(range(len(heights))) - set(kept.tolist())):
        after = int(np.searchsorted(kept, index))
        assert distances(points[index], points[kept[after - 1 : after + 1]]) <= tolerance * (1 + 1e-9)


def test_a_straight_line_needs_its_ends():
    """Claim: points on a line, and points that fall together, are left out."""
    assert thinned(np.linspace(0, 1, 50), np.linspace(0, 1, 50)).tolist() == [0, 49]
    assert thinned(np.full(9, 0.5), np.linspace(0, 1, 9)).tolist() == [0, 8]
    assert thinned(np.full(9, 0.5), np.full(9, 0.5)).tolist() == [0, 8]
    assert thinned(np.array([0.2]), np.array([0.7])).tolist() == [0]


def test_distributions_are_drawn_as_they_are(contents):
    """Claim: no percentile is further than 0.2% of an axis from the line drawn, which has fewer points."""
    (part,) = contents.parts
    for time, name in (("latency_s", "latency"), ("ttft_s", "ttft"), ("tpot_s", "tpot")):
        (figure,) = (figure for figure in part.figures if figure.name == f"setting-1-cdf-{name}")
        for at, variant in zip(part.setting.columns, figure.variants, strict=True):
            quantiles = part.setting.quantiles
            all_of_them = quantiles[(quantiles["time"] == time) & (quantiles["point"] == at)]
            rows = variant.spec["datasets"]["rows"]
            assert len(rows) < len(all_of_them)
            low, high = all_of_them["value"].min(), all_of_them["value"].max()
            kind = variant.spec["encoding"]["x"]["scale"].get("type", "linear")
            for series, line in all_of_them.groupby("series"):
                kept = [row for row in rows if row["series"] == series]
                corners = np.stack(
                    [shares(np.array([r["s"] for r in kept]), low, high, kind), [r["p"] for r in kept]], axis=1
                )
                points = np.stack([shares(line["value"].to_numpy(), low, high, kind), line["percentile"]], axis=1)
                corners[:, 1] /= 100
                points[:, 1] /= 100
                for point in points:
                    assert distances(point, corners).min() <= 0.002


@given(arrays(float, 5, elements=st.floats(-1e6, 1e6)), st.floats(1e-6, 1e6))
def test_rounding_is_not_seen(values, span):
    """Claim: a number is off by at most half of what is seen on its axis."""
    assert np.abs(rounded(values, span) - values).max() <= SEEN / 2 * span * (1 + 1e-9) + 1e-9
    assert rounded(values, 0.0) is values


@given(st.floats(1e-6, 1e6), st.floats(3, 1e6))
def test_four_digits_are_not_seen_on_a_logarithmic_axis(low, ratio):
    """Claim: over a factor of three or more, four digits are off by at most half of what is seen."""
    values = low * ratio ** np.linspace(0, 1, 7)
    off = shares(four_digits(values), low, low * ratio, "log") - shares(values, low, low * ratio, "log")
    assert np.abs(off).max() <= SEEN / 2


def test_shares_are_places_on_an_axis():
    """Claim: the ends of an axis are 0 and 1, also of a logarithmic one; an axis without length has one place."""
    assert shares(np.array([2.0, 3.0, 6.0]), 2, 6, "linear").tolist() == [0, 0.25, 1]
    assert shares(np.array([1.0, 10.0, 100.0]), 1, 100, "log") == pytest.approx([0, 0.5, 1])
    assert shares(np.array([4.0, 4.0]), 4, 4, "linear").tolist() == [0, 0]
