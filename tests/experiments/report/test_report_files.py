"""Charts as files, and the command."""

import struct

import pytest
from typer.testing import CliRunner

from experiments.cli.app import app
from experiments.cli.entry import main
from experiments.report.files import write_figures

NAMES = ("gap", "pareto", "cdf-latency", "cdf-ttft", "cdf-tpot", "over-time", "time-line")


@pytest.fixture(scope="module")
def told(results, tmp_path_factory):
    """What the command said and wrote: the page and the folder of charts."""
    folder = tmp_path_factory.mktemp("told")
    page, charts = folder / "new" / "page.html", folder / "charts"
    done = CliRunner().invoke(app, ["report", str(results), "--out", str(page), "--figures", str(charts)])
    return done, page, charts


def test_the_command_writes_the_page_and_the_charts(told, report):
    """Claim: `orsched report` writes both where it is told, the same page each time, and says so on standard error."""
    done, page, charts = told
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert f"wrote {page} (0.5 MB)" in done.stderr
    assert f"wrote 21 files in {charts}" in done.stderr
    assert [file.name for file in page.parent.iterdir()] == ["page.html"]
    assert page.read_bytes() == report.read_bytes()
    assert len(page.read_bytes()) < 550_000


def test_charts_are_files_of_three_kinds(told, contents, tmp_path, report_names):
    """Claim: every chart is a PNG, an SVG and a PDF; names stay text; the drawing is the same every time."""
    _, _, charts = told
    assert {path.name for path in charts.iterdir()} == {
        f"setting-1-{name}.{ending}" for name in NAMES for ending in ("png", "svg", "pdf")
    }
    for path in charts.iterdir():
        data = path.read_bytes()
        if path.suffix == ".png":
            assert data.startswith(b"\x89PNG")
            width, height = struct.unpack(">II", data[16:24])
            assert width > 800
            assert height > 600
        elif path.suffix == ".pdf":
            assert data.startswith(b"%PDF")
        else:
            text = data.decode()
            assert text.startswith("<svg")
            assert "<img" not in text
            assert "<script" not in text
    legend = (charts / "setting-1-gap.svg").read_text(encoding="utf-8")
    assert report_names[0].replace("<", "&lt;").replace(">", "&gt;") in legend
    write_figures(contents.parts[0].figures[:1], tmp_path)
    assert (tmp_path / "setting-1-gap.svg").read_text(encoding="utf-8") == legend


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"results": "nowhere"}, "there is none"),
        ({"results": "."}, "not a folder of results"),
        ({"out": "page.pdf"}, "must end in one of .html, .htm"),
        ({"figures": "file"}, "is a file, not a folder"),
    ],
)
def test_what_cannot_be_written_is_refused_first(results, tmp_path, monkeypatch, capsys, change, message):
    """Claim: a folder without results, another ending or a file in the way: one line, exit 2, nothing written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    options = {"results": str(results), "out": "page.html", "figures": "charts"} | change
    code = main(["report", options["results"], "--out", options["out"], "--figures", options["figures"]])
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert message in " ".join(said.err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
