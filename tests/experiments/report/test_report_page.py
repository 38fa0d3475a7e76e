"""The page's parts: what may stand in a script, how chart data is packed, and that nothing is random."""

import json

import altair
from hypothesis import given
from hypothesis import strategies as st

from experiments.report import write_report
from experiments.report.building import contents_of
from experiments.report.charts.encodings import scale_type
from experiments.report.charts.pareto import front
from experiments.report.page import packed, script_json
from experiments.report.palette import DARK, DASHES, LIGHT, SHAPES

ROWS = st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.floats(allow_nan=False), "c": st.integers()}))


@given(st.dictionaries(st.text(), st.text()))
def test_data_in_a_script_is_data(value):
    """Claim: whatever the texts are, they come back unchanged and cannot end the script or open a comment."""
    text = script_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set("<>&") & set(text)


@given(ROWS)
def test_packed_data_is_the_same_data(rows):
    """Claim: columns say what the rows said."""
    columns = packed({"datasets": {"rows": rows}})["datasets"]["rows"]
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


def test_charts_follow_the_schema_of_vega_lite(findings):
    """Claim: every variant of every chart is a valid specification."""
    figures = [figure for part in contents_of(findings).parts for figure in part.figures]
    variants = [variant for figure in figures for variant in figure.variants]
    assert len(variants) > 15
    for variant in variants:
        kind = altair.LayerChart if "layer" in variant.spec else altair.Chart
        kind.from_dict(variant.spec, validate=True)


def test_the_same_results_give_the_same_page(findings, report, tmp_path):
    """Claim: writing the report again gives the same bytes, and what stood there is replaced."""
    again = tmp_path / "folders" / "report.html"
    assert write_report(findings, again) == [again]
    assert again.read_bytes() == report.read_bytes()
    assert len(again.read_bytes()) < 1_300_000
    assert [file.name for file in again.parent.iterdir()] == ["report.html"]


def test_the_page_names_no_other_place(report):
    """Claim: but for the chart library's own text, the page has no address outside itself."""
    text = report.read_text(encoding="utf-8")
    library = text.rindex("<script>", 0, text.rindex("<script>"))
    own = text[:library] + text[text.rindex("<script>") :]
    assert "src=" not in own.replace("&lt;img src=", "").replace("\\u003cimg src=", "")
    assert "http" not in own.replace("http-equiv", "").replace("https://vega.github.io/schema", "")
