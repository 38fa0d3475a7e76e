"""A gap table on its way out: Markdown, LaTeX, data files, figure; whole or not at all."""

import math
import os
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from experiments.render.files import WRITERS, require_writable, write
from experiments.render.latex import to_latex
from experiments.render.markdown import to_markdown
from experiments.render.plain import plain, table_document
from experiments.render.terminal import to_rich
from orsched.atomic import replacing, write_text
from orsched.errors import InputError
from orsched.gap_table import HEADERS, Gap, GapRow, GapTable
from orsched.statistics.estimate import Estimate


@pytest.fixture
def table() -> GapTable:
    """Return a table with a stable row, an unstable one, one that could not run, and awkward names."""
    gap = Gap("latency_mean_s", Estimate(0.5, 0.1, 4), "srpt_&|", Estimate(2.0, 0.1, 4), "fluid", False)
    metrics = {"latency_mean_s": Estimate(3.0, 0.2, 4)}
    rows = (
        GapRow("a_b|c", "none", 0.5, metrics, {"latency_mean_s": gap}, True, 0, 4),
        GapRow("fcfs", "oracle", 0.9, metrics, {"latency_mean_s": gap}, False, 4, 4, "grows by 50% > 1"),
        GapRow.not_run("wait", "class", 0.9, "no thresholds"),
    )
    return GapTable("my_trace", "chip", 1500, 4, 0, rows, ("a notice",))


def test_markdown_is_a_table(table: GapTable):
    """Every line has the same number of unescaped bars; notes follow."""
    text = to_markdown(table)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(table.rows)
    assert {line.replace("\\|", "").count("|") for line in lines} == {len(HEADERS) + 1}
    assert "3.00 ± 0.20" in text
    assert "| unstable |" in text
    assert "- a notice" in text


def test_latex_is_escaped(table: GapTable):
    """Special characters cannot break the document; every row has as many cells as the header."""
    text = to_latex(table)
    assert r"a\_b$|$c" in text
    assert r"srpt\_\&$|$ (fluid)" in text
    assert r"grows by 50\% $>$ 1" in text
    assert r"3.00 $\pm$ 0.20" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {row.replace(r"\&", "").count("&") for row in rows} == {len(HEADERS) - 1}
    assert text.count(r"\midrule") == len(table.loads)
    assert text.count("{") == text.count("}")


def test_terminal_shows_every_row(table: GapTable):
    """All policies, the unstable mark and the notes reach the terminal."""
    console = Console(width=200, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    with console.file:
        console.print(to_rich(table))
    text = console.export_text()
    for word in ("a_b|c", "fcfs", "unstable", "not run", "note: wait at load 0.9: no thresholds", "a notice"):
        assert word in text


@pytest.mark.parametrize("ending", list(WRITERS))
def test_files_are_written_and_equal_each_time(table: GapTable, tmp_path: Path, ending: str):
    """Every form is written, leaves nothing else behind, and has the same bytes each time."""
    first, second = tmp_path / f"new/one{ending}", tmp_path / f"new/two{ending}"
    write(table, first)
    write(table, second)
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 100
    assert sorted(tmp_path.rglob("*.*")) == [first, second]


def test_data_files_give_the_frame_back(table: GapTable, tmp_path: Path):
    """Parquet and CSV hold the numbers of `to_frame`, unstable rows included."""
    write(table, tmp_path / "t.parquet")
    write(table, tmp_path / "t.csv")
    expected = table.to_frame()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), expected)
    again = pd.read_csv(tmp_path / "t.csv")
    assert list(again["latency_mean_s"][:2]) == list(expected["latency_mean_s"][:2])
    assert list(again.columns) == list(expected.columns)


def test_a_figure_needs_a_gap(tmp_path: Path):
    """Without any gap there is nothing to draw, and no file."""
    bare = GapTable("w", "f", 10, 4, 0, (GapRow.not_run("wait", "class", 0.9, "no"),))
    with pytest.raises(InputError, match="nothing to draw"):
        write(bare, tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, error: type[BaseException]):
    """A file is replaced whole or stays as it was."""
    path = tmp_path / "x.txt"
    write_text(path, "old")

    def half_a_write() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        half_a_write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_places_are_refused_before_any_work(tmp_path: Path):
    """Unknown endings, folders, and files in the way."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.csv").mkdir()
    for name, message in {
        "x.doc": "must end in one of .parquet",
        "folder.csv": "is a folder",
        "file/x.csv": "is a file, not a folder",
        "file/deeper/x.csv": "is a file, not a folder",
    }.items():
        with pytest.raises(InputError, match=message):
            require_writable(tmp_path / name)


def test_documents_are_plain(table: GapTable):
    """JSON documents hold only what JSON knows."""
    document = table_document(table)
    assert document["rows"][1]["stable"] is False
    assert document["rows"][0]["gaps"]["latency_mean_s"]["mean"] == 0.5
    assert document["rows"][2]["metrics"] == {}
    assert plain({"a": (1, pd.Series([2]).to_numpy()), 3: Path("x")}) == {"a": [1, [2]], "3": "x"}
    assert plain({"never": math.inf, "least": -math.inf, "share": 0.5}) == {
        "never": "inf",
        "least": "-inf",
        "share": 0.5,
    }
