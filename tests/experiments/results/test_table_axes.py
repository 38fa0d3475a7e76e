"""Gap tables of rates and scales: every form tells the rows apart, and the order of seeds decides nothing."""

import re

import pandas as pd
import pyarrow as pa
import pytest
from rich.console import Console

from experiments.render.drawing import ENDINGS as DRAWN
from experiments.render.figure import AXIS_LABELS
from experiments.render.files import WRITERS, write
from experiments.render.plain import table_document
from experiments.render.terminal import to_rich
from experiments.results.gap_tables import gap_tables
from experiments.results.pairing import paired
from experiments.results.plan import Plan
from experiments.results.schema import row_table
from experiments.spec import ExperimentSpec
from orsched.errors import InputError

COMMON = {"workloads": ["reference"], "fleets": ["reference"], "policies": ["vllm-v1", "sjf"], "bounds": "fast"}


def measured(*, without=lambda task: False, **settings):
    """Return what is found of a small experiment, some of its tasks left out."""
    tasks = ExperimentSpec(**COMMON | {"requests": 40, "replications": 2} | settings).tasks()
    rows = pa.concat_tables([row_table(task.compute()) for task in tasks if not without(task)])
    return paired(Plan.of("spec", "code", [(task.id, task.place) for task in tasks]), rows)


@pytest.fixture(scope="module")
def scales():
    """Return the table of three scales at one load."""
    (table,) = gap_tables(measured(scales=[4, 1, 0.5], load=0.9)).values()
    return table


def test_rows_are_looked_up_by_scale(scales):
    """Claim: a row is found by its scale, not by the load that all share, and knows its requests."""
    assert scales.places == (4, 1, 0.5)
    assert [scales.row("sjf", at).requests for at in scales.places] == [160, 40, 20]
    with pytest.raises(InputError, match=r"at scale 0.9: .*scales \(4.0, 1.0, 0.5\)"):
        scales.row("sjf", 0.9)
    assert scales.title.startswith("reference on reference: 2 replications of 20 to 160 requests")
    assert "scale 4, 1, 0.5: load 0.9" in scales.notes
    assert not any("at load" in note for note in scales.notes)
    assert any(note.startswith("sjf at scale 0.5: undecided") for note in scales.notes)


@pytest.mark.parametrize("ending", [ending for ending in WRITERS if ending not in DRAWN])
def test_every_file_has_the_scale_of_each_row(scales, tmp_path, ending):
    """Claim: no form calls a scale a load or leaves it out."""
    path = tmp_path / f"table{ending}"
    write(scales, path)
    if ending in (".csv", ".parquet"):
        frame = pd.read_csv(path) if ending == ".csv" else pd.read_parquet(path)
        assert frame["scale"].tolist() == [4, 4, 1, 1, 0.5, 0.5]
        assert frame["requests"].tolist() == [160, 160, 40, 40, 20, 20]
        assert set(frame["load"]) == {0.9}
        return
    lines = {
        ".md": [
            [cell.strip() for cell in line.split("|")[1:-1]] for line in path.read_text().splitlines() if "|" in line
        ],
        ".tex": [re.split(r" & | \\\\", line) for line in path.read_text().splitlines() if " & " in line],
        ".html": [
            re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line)
            for line in path.read_text().replace("<tr", "\n<tr").splitlines()
        ],
    }[ending]
    shown = [line[2] for line in lines if len(line) > 3]
    assert [text for text in shown if text != "---"] == ["scale", "4", "4", "1", "1", "0.5", "0.5"]
    if ending == ".tex":
        assert path.read_text().count(r"\midrule") == 3


def test_terminal_and_document_have_the_scale_of_each_row(scales, tmp_path):
    """Claim: the terminal has a column of scales, and the JSON document the axis and every row's place on it."""
    with (tmp_path / "out").open("w") as out:
        console = Console(width=200, record=True, file=out)
        console.print(to_rich(scales))
    text = console.export_text()
    rows = [line.split() for line in text.splitlines() if re.match(r" ?(vllm-v1|sjf) ", line)]
    assert [row[2] for row in rows] == ["4", "4", "1", "1", "0.5", "0.5"]
    assert "at load" not in text
    assert "gap at scale" in text
    document = table_document(scales)
    assert document["axis"] == "scale"
    assert [row["at"] for row in document["rows"]] == [4, 4, 1, 1, 0.5, 0.5]
    assert [row["requests"] for row in document["rows"]] == [160, 160, 40, 40, 20, 20]


def test_the_figure_is_drawn_against_the_scale(scales, tmp_path, monkeypatch):
    """Claim: points of one policy stand at its scales, under an axis of that name."""
    from matplotlib.axes import Axes

    drawn, labels = [], []
    plain_bars, plain_label = Axes.errorbar, Axes.set_xlabel
    monkeypatch.setattr(Axes, "errorbar", lambda axes, x, *a, **k: drawn.append(x) or plain_bars(axes, x, *a, **k))
    monkeypatch.setattr(Axes, "set_xlabel", lambda axes, text: labels.append(text) or plain_label(axes, text))
    write(scales, tmp_path / "table.png")
    assert drawn == [[4, 1, 0.5]] * 2
    assert labels == [AXIS_LABELS["scale"]]


def test_the_order_of_seeds_changes_nothing():
    """Claim: seeds 0, 1 and 1, 0 give equal tables of rates: loads, verdicts, reasons, means and notices."""
    first, second = (
        gap_tables(measured(rates_per_s=[3.0, 40.0], seeds=seeds, bounds="none", requests=120))
        for seeds in ([0, 1], [1, 0])
    )
    assert first == second
    (table,) = first.values()
    assert table.headers[2] == "rate (1/s)"
    assert any(re.match(r"rate 3 \(1/s\): load \d", note) for note in table.notices)
    assert list(table.to_frame().columns[5:7]) == ["rate_per_s", "load"]


def test_missing_bounds_are_said():
    """Claim: one path without bounds leaves a column without gaps, and table and matrix say so; so do all paths."""

    def is_lost(task):
        return task.kind == "bound" and (task.place.point, task.place.replication) == (0.5, 1)

    (table,) = gap_tables(measured(loads=[0.5, 0.8], without=is_lost)).values()
    said = "bounds of 1 of 2 paths at load 0.5 are missing: no gaps there"
    assert said in table.notices
    assert said in table.matrix().notes
    assert [bool(row.gaps) for row in table.rows] == [False, False, True, True]
    none = measured(loads=[0.5], bounds="none")
    assert not any("bounds of" in notice for notice in gap_tables(none)["reference", "reference", None].notices)
    (lost,) = gap_tables(none, is_bounded=True).values()
    assert "bounds of 2 of 2 paths at load 0.5 are missing: no gaps there" in lost.notices


def test_the_metrics_asked_for_are_the_columns():
    """Claim: a table told other metrics shows these; an unstable row keeps its throughput only."""
    (table,) = gap_tables(
        measured(loads=[3.0], requests=400, bounds="none"),
        ("throughput_requests_per_s", "ttft_mean_s", "latency_p50_s"),
    ).values()
    assert table.headers[3:6] == ("throughput_requests_per_s", "ttft_mean_s", "latency_p50_s")
    for row in table.rows:
        cells = table.cells(row)
        assert len(cells) == len(table.headers)
        assert row.stable is False
        assert cells[3] == str(row.metrics["throughput_requests_per_s"])
        assert cells[4:6] == ("unstable", "")
