"""The page's parts: what may stand in a script, how chart data is packed, and that nothing is random."""

import base64
import gzip
import json
import re
from importlib import resources
from itertools import combinations

import altair
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.report.charts.encodings import scale_type
from experiments.report.charts.pareto import front
from experiments.report.packing import by_columns, packed, script_json
from experiments.report.palette import DARK, DASHES, LIGHT, PHASE_COLOURS, PHASE_COLOURS_DARK, SHAPES
from tests.support.colour_vision import SIGHTS, contrast, distance

ROWS = st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.floats(allow_nan=False), "c": st.integers()}))


@given(st.dictionaries(st.text(), st.text()))
def test_data_in_a_script_is_data(value):
    """Claim: whatever the texts are, they come back unchanged and cannot end the script or open a comment."""
    text = script_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set("<>&") & set(text)


@given(st.text())
def test_packed_text_is_the_same_text(text):
    """Claim: a text comes back unchanged, packs to the same letters each time, and none of them means anything."""
    letters = packed(text)
    assert gzip.decompress(base64.b64decode(letters)).decode() == text
    assert packed(text) == letters
    assert re.fullmatch("[A-Za-z0-9+/=]*", letters)


@given(ROWS)
def test_packed_data_is_the_same_data(rows):
    """Claim: columns say what the rows said."""
    columns = by_columns({"datasets": {"rows": rows}})["datasets"]["rows"]
    back = {
        name: [column["of"][at] for at in column["at"]] if isinstance(column, dict) else column
        for name, column in columns.items()
    }
    assert [dict(zip(back, values, strict=True)) for values in zip(*back.values(), strict=True)] == rows


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_the_front_is_what_nobody_beats(points):
    """Claim: no point beats one on the front in throughput and time, and every other point is matched by one on it."""
    chosen = [points[index] for index in front(points)]
    for rate, time in chosen:
        assert not any((r >= rate and t < time) or (r > rate and t <= time) for r, t in points)
    for rate, time in points:
        assert any(r >= rate and t <= time for r, t in chosen)
    assert chosen == sorted(chosen)


@given(st.lists(st.floats(-10, 1e6)))
def test_a_logarithmic_axis_is_for_positive_numbers(numbers):
    """Claim: an axis is logarithmic only where every number has a logarithm."""
    if scale_type(numbers) == "log":
        assert min(numbers) > 0
        assert max(numbers) > 20 * min(numbers)


def test_series_differ_in_more_than_colour():
    """Claim: colour, marker and line together tell 40 series apart, and two of the same colour differ in the marker."""
    looks = [(i % len(LIGHT), i % len(SHAPES), i % len(DASHES)) for i in range(40)]
    assert len(set(looks)) == 40
    assert all(looks[i][1] != looks[i + len(LIGHT)][1] for i in range(32))
    assert len(LIGHT) == len(DARK) == len(set(LIGHT)) == len(set(DARK)) == 8


@pytest.mark.parametrize(
    ("colours", "phases", "back"), [(LIGHT, PHASE_COLOURS, "#ffffff"), (DARK, PHASE_COLOURS_DARK, "#171b21")]
)
def test_colours_can_be_seen_and_told_apart(colours, phases, back):
    """Claim: lines have a contrast of 3 to 1 with what is behind them; whatever colours one sees, no two look alike."""
    style = (resources.files("experiments.report") / "templates" / "report.css").read_text(encoding="utf-8")
    assert f"--card: {back};" in style
    assert min(contrast(colour, back) for colour in (*colours, *phases)) >= 3
    for sight in SIGHTS:
        assert min(distance(*pair, sight) for pair in combinations(colours, 2)) >= 20, sight
        assert min(distance(*pair, sight) for pair in combinations(phases, 2)) >= 20, sight


def test_charts_follow_the_schema_of_vega_lite(contents):
    """Claim: every variant of every chart is a valid specification, and its data are rows of the same names."""
    figures = [figure for part in contents.parts for figure in part.figures]
    variants = [variant for figure in figures for variant in figure.variants]
    assert len(variants) > 15
    different = {}
    for variant in variants:
        datasets = variant.spec["datasets"]
        assert all(len({tuple(row) for row in rows}) == 1 for rows in datasets.values())
        chart = variant.spec | {"datasets": {name: rows[:1] for name, rows in datasets.items()}}
        different[json.dumps(chart | {"datasets": None, "description": ""})] = chart
    assert len(different) >= 10
    for chart in different.values():
        (altair.LayerChart if "layer" in chart else altair.Chart).from_dict(chart, validate=True)


def test_the_page_names_no_other_place(report, report_names):
    """Claim: but for what the chart library says, the page has no address outside itself."""
    text = report.read_text(encoding="utf-8")
    packs = re.findall(r'<script type="text/plain" id="(setting-1-rest|library)">([^<]*)</script>', text)
    assert [name for name, _ in packs] == ["setting-1-rest", "library"]
    rest = gzip.decompress(base64.b64decode(packs[0][1])).decode()
    own = text + rest.replace(report_names[0], "")
    assert "src=" not in own.replace("&lt;img src=", "").replace("\\u003cimg src=", "")
    assert "http" not in own.replace("http-equiv", "").replace("https://vega.github.io/schema", "")
