"""Gap matrices: what the cells, marks and footers say, in every form; and the golden matrix.

After a deliberate change of a policy, a service model or a bound, regenerate the golden files with
``ORSCHED_REGENERATE=1 python -m pytest tests/experiments/test_gap_matrix.py -k golden``.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from experiments import gap_table
from experiments.cli.app import app
from experiments.render.files import MATRIX_WRITERS, write
from experiments.render.matrix import matrix_document, to_latex, to_markdown, to_rich
from orsched import Fleet, hardware
from orsched.errors import InputError, UnknownNameError
from orsched.gap_matrix import NO_BOUND, NOT_MEASURED, NOT_RUN, GapMatrix
from orsched.gap_table import UNSTABLE, Gap, GapRow, GapTable
from orsched.statistics.estimate import Estimate, estimate
from orsched.statistics.ranking import rank

GOLDEN = Path(__file__).parent / "golden"
POLICIES = ["vllm-v0", "vllm-v1", "sarathi", "orca", "sjf", "wait"]
FORMS = (".txt", ".md", ".tex", ".csv", ".html", ".json")


@pytest.fixture(scope="module")
def measured() -> GapTable:
    """The table of test_gap_table's golden file."""
    fleet = Fleet.single(hardware("reference"))
    return gap_table("reference", fleet, POLICIES, loads=(0.5, 0.9), replications=3, requests=200, seed=1, workers=1)


def row(policy: str, load: float, observed: tuple[float, ...], **changes: object) -> GapRow:
    """A row whose gaps and latencies are `observed`."""
    gap = Gap("latency_mean_s", estimate(observed), "lp_&", Estimate(1.0, 0.1, 4), "pathwise", True, observed)
    settings = {
        "policy": policy,
        "information": "none",
        "load": load,
        "metrics": {name: estimate(observed) for name in ("latency_mean_s", "itl_p99_s", "batch_mean")},
        "gaps": {"latency_mean_s": gap},
        "stable": True,
        "unstable_replications": 0,
        "replications": len(observed),
        "values": dict.fromkeys(("latency_mean_s", "itl_p99_s", "batch_mean"), observed),
    }
    return GapRow(**(settings | changes))


def table(*rows: GapRow, **changes: object) -> GapTable:
    return GapTable(
        **({"workload": "w", "fleet": "f", "requests": 9, "replications": 3, "seed": 0} | changes), rows=rows
    )


@pytest.fixture
def awkward() -> GapMatrix:
    """A best one, one not worse, one worse, an unstable one, one without bound, one that could not run; odd names."""
    return table(
        row("*a_b|c", 0.5, (1.0, 2.0, 3.0)),
        row("[near]", 0.5, (2.0, 1.0, 4.0)),
        row("<far>", 0.5, (9.0, 10.0, 11.5)),
        row("grows", 0.5, (5.0, 6.0, 7.0), stable=False, unstable_replications=3, reason="grows by 50% > 1"),
        row("picky", 0.5, (0.1, 0.2, 0.3), gaps={}),
        GapRow.not_run("wait", "class", 0.5, "no thresholds"),
    ).matrix()


def in_form(matrix: GapMatrix, form: str, folder: Path) -> str:
    if form == ".txt":
        return matrix.summary() + "\n"
    if form == ".json":
        return json.dumps(matrix_document(matrix), indent=2, ensure_ascii=False) + "\n"
    write(matrix, folder / f"matrix{form}")
    return (folder / f"matrix{form}").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMS)
def test_golden_matrix(measured: GapTable, form: str, tmp_path: Path):
    """Claim: a small matrix on the reference instance stays what it was, in every form."""
    text, golden = in_form(measured.matrix(), form, tmp_path), GOLDEN / f"gap_matrix{form}"
    if os.environ.get("ORSCHED_REGENERATE"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_cells_are_those_of_the_table(measured: GapTable):
    """Claim: every cell is the gap of the row of its policy and load, and its marks are the ranking of the gaps."""
    matrix = measured.matrix()
    for index, column in enumerate(matrix.columns):
        stable = {p: r for p in matrix.policies if (r := measured.row(p, column.at)).stable}
        ranking = rank({policy: line.gaps["latency_mean_s"].values for policy, line in stable.items()})
        for policy, cells in zip(matrix.policies, matrix.cells, strict=True):
            assert cells[index].estimate == measured.row(policy, column.at).gaps["latency_mean_s"].estimate
            if policy in stable:
                assert cells[index].strong == (policy in ranking.may_be_best)
                assert (cells[index].standing == "best") == ranking[policy].best


@pytest.mark.parametrize("metric", ["throughput_requests_per_s", "latency_p99_s", "kv_utilisation", "itl_p99_s"])
def test_any_metric(measured: GapTable, metric: str):
    """Claim: a metric with bounds shows gaps, one without shows itself and says so."""
    matrix = measured.matrix(metric)
    bounded = any(metric in line.gaps for line in measured.rows)
    assert matrix.quantity == ("gap" if bounded else "value")
    assert ("it has no bound" in matrix.caption) is not bounded
    assert bool(matrix.columns[0].bounds) is bounded
    if not bounded:
        assert matrix.cells[0][0].estimate == measured.row("vllm-v0", 0.5).metrics[metric]


def test_higher_is_better_where_it_is(measured: GapTable):
    """Claim: without a bound the direction of the metric decides; without a direction nobody is marked."""
    bare = replace(measured, rows=[replace(line, gaps={}) for line in measured.rows])
    metric = "throughput_requests_per_s"
    matrix = bare.matrix(metric)
    for index in range(2):
        stable = [cells[index] for cells in matrix.cells if not cells[index].word]
        best = [cell for cell in stable if cell.standing == "best"]
        assert max(cell.estimate.mean for cell in stable) == best[0].estimate.mean
    neither = bare.matrix("batch_mean")
    assert {cell.standing for cells in neither.cells for cell in cells} == {"unranked"}
    assert neither.columns[0].undecided == "neither direction is better"
    assert "no marks at load 0.5, 0.9: neither direction is better" in neither.summary()


def test_words_and_marks(awkward: GapMatrix):
    """Claim: each kind of cell has its text; only policies that kept up and have a gap are ranked."""
    texts = {line[0]: line[2] for line in awkward.rows()}
    assert texts["*a_b|c"].endswith(" *")
    assert texts["[near]"].endswith(" =")
    assert texts["<far>"][-1].isdigit()
    assert (texts["grows"], texts["picky"], texts["wait"]) == (UNSTABLE, NO_BOUND, NOT_RUN)
    summary = awkward.summary()
    assert "bound at load 0.5: lp_& (pathwise, certified)" in summary
    assert "note: wait at load 0.5: no thresholds" in summary
    assert "95% confidence per column" in summary


def test_a_metric_one_policy_lacks():
    """Claim: a policy without the metric has a word, the others are ranked."""
    metrics = {"latency_mean_s": Estimate(1.0, 0.1, 3)}
    lacking = row("lacks", 0.5, (1.0, 2.0, 3.0), metrics=metrics, values={})
    matrix = table(lacking, row("a", 0.5, (1.0, 2.0, 3.0)), row("b", 0.5, (4.0, 5.0, 6.5))).matrix("itl_p99_s")
    assert [cells[0].word for cells in matrix.cells] == [NOT_MEASURED, "", ""]
    assert [cells[0].standing for cells in matrix.cells] == ["unranked", "best", "worse"]


def test_one_path_has_no_marks():
    """Claim: one replication ranks nobody and the matrix says why, as it does when the values were not kept."""
    matrix = table(row("a", 0.5, (1.0,)), row("b", 0.5, (2.0,))).matrix()
    assert matrix.columns[0].undecided == "cannot rank: one replication"
    assert not any(cell.strong for cells in matrix.cells for cell in cells)
    old = row("a", 0.5, (1.0, 2.0))
    gaps = {name: replace(gap, values=()) for name, gap in old.gaps.items()}
    assert "has the values" in table(replace(old, gaps=gaps)).matrix().columns[0].undecided


def test_another_axis():
    """Claim: a table over scales has a column for each scale, though the load is the same."""
    rows = [row(policy, 0.9, (1.0, 2.0, 3.5), at=at) for at in (1.0, 4.0) for policy in ("a", "b")]
    matrix = table(*rows, axis="scale").matrix()
    assert matrix.headers == ("policy", "information", "scale 1", "scale 4")
    assert list(matrix.to_frame()["scale"]) == [1.0, 4.0, 1.0, 4.0]
    assert "no marks at scale 1, 4: cannot rank: identical on every sample path" in matrix.summary()


def test_a_hole_is_not_run():
    """Claim: a policy without a row in a column is "not run" there."""
    matrix = table(row("a", 0.5, (1.0, 2.0)), row("b", 0.9, (1.0, 2.0))).matrix()
    assert [[cell.word for cell in cells] for cells in matrix.cells] == [["", NOT_RUN], [NOT_RUN, ""]]


def test_what_cannot_be_a_matrix():
    """Claim: an unknown metric gets a suggestion; one that nobody has, and two rows for one cell, are refused."""
    with pytest.raises(UnknownNameError, match="latency_mean_s"):
        table(row("a", 0.5, (1.0, 2.0))).matrix("latency_means")
    with pytest.raises(InputError, match="none of the policies"):
        table(row("a", 0.5, (1.0, 2.0))).matrix("slo_attainment")
    with pytest.raises(InputError, match="several rows"):
        table(row("a", 0.5, (1.0, 2.0)), row("a", 0.5, (1.0, 2.0))).matrix()


@pytest.mark.parametrize("ending", list(MATRIX_WRITERS))
def test_files_are_written_and_equal_each_time(awkward: GapMatrix, tmp_path: Path, ending: str):
    """Claim: every form is written whole and with the same bytes each time."""
    first, second = tmp_path / f"new/one{ending}", tmp_path / f"new/two{ending}"
    write(awkward, first)
    write(awkward, second)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.rglob("*.*")) == [first, second]


def test_gaps_to_different_bounds_are_not_ranked():
    """Claim: a column compares gaps to one bound, with the values of every policy shown, and else says why not."""
    ours, theirs = row("a", 0.5, (1.0, 2.0, 3.0)), row("b", 0.5, (2.0, 3.0, 5.0))
    gap = theirs.gaps["latency_mean_s"]

    def undecided(**changes: object) -> str:
        other = replace(theirs, gaps={"latency_mean_s": replace(gap, **changes)})
        matrix = table(ours, other).matrix()
        assert {cell.standing for cells in matrix.cells for cell in cells} == {"unranked"}
        return matrix.columns[0].undecided

    assert undecided(bound="srpt") == "their gaps are to different bounds"
    assert undecided(bound_value=Estimate(2.0, 0.1, 4)) == "their gaps are to different bounds"
    assert undecided(values=()) == "b: without the values of each sample path"
    assert undecided(values=(1.0, 2.0)) == "they have different numbers of sample paths"


def test_close_columns_have_different_headers():
    """Claim: as many digits as tell columns apart, in headers and footers."""
    matrix = table(*(row("a", at, (1.0, 2.0, 3.0)) for at in (1.0, 1.0000001))).matrix()
    assert matrix.headers[2:] == ("load 1", "load 1.0000001")
    assert "bound at load 1, 1.0000001: lp_&" in matrix.summary()


def test_markup_in_names_stays_text():
    """Claim: links, entities, code, strikes and line breaks of a name are not markup in Markdown and LaTeX."""
    hostile = "a\n| [x](http://e) &lt; ~~b~~ `c`"
    matrix = table(row(hostile, 0.5, (1.0, 2.0, 3.0))).matrix()
    assert "| a \\| \\[x\\](http://e) \\&lt; \\~\\~b\\~\\~ \\`c\\` |" in to_markdown(matrix)
    assert r"a $|$ [x](http://e) \&lt;" in to_latex(matrix)


def test_the_level_is_that_of_the_matrix(awkward: GapMatrix):
    """Claim: Markdown, LaTeX and the legend say the level of the matrix."""
    other = replace(awkward, level=0.9)
    assert "mean ± 90% half-width" in to_markdown(other)
    assert r"half-width of the 90\% interval" in to_latex(other)
    assert "90% confidence" in other.summary()


def test_a_matrix_has_no_other_form(awkward: GapMatrix, tmp_path: Path):
    """Claim: a form that a matrix does not have is refused with those it has."""
    with pytest.raises(InputError, match=r"one of \.parquet, \.csv, \.md, \.tex, \.html, \.png, \.svg, \.pdf$"):
        write(awkward, tmp_path / "x.txt")


def test_data_files_give_the_frame_back(awkward: GapMatrix, tmp_path: Path):
    """Claim: Parquet holds the frame exactly, CSV its numbers; the number of an unstable policy is there."""
    write(awkward, tmp_path / "m.parquet")
    write(awkward, tmp_path / "m.csv")
    expected = awkward.to_frame()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "m.parquet"), expected)
    again = pd.read_csv(tmp_path / "m.csv")
    assert list(again["mean"][:4]) == list(expected["mean"][:4]) == pytest.approx([2.0, 7 / 3, 61 / 6, 6.0])
    assert list(again.columns) == list(expected.columns)


def test_markdown_is_a_table(awkward: GapMatrix, tmp_path: Path):
    """Claim: every line has the same number of unescaped bars, and those that may be best are bold."""
    lines = [line for line in in_form(awkward, ".md", tmp_path).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(awkward.policies)
    assert {line.replace("\\|", "").count("|") for line in lines} == {len(awkward.headers) + 1}
    assert [("**" in line) for line in lines[2:]] == [True, True, False, False, False, False]


def test_latex_is_well_formed(awkward: GapMatrix):
    """Claim: braces and environments close, each row has its cells, nothing special is left bare."""
    text = to_latex(awkward)
    assert re.findall(r"\\begin\{(\w+)\}", text) == ["table", "tabular"]
    assert re.findall(r"\\end\{(\w+)\}", text) == ["tabular", "table"]
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + len(awkward.policies)
    assert {row.replace(r"\&", "").count("&") for row in rows} == {len(awkward.headers) - 1}
    assert not [line for line in rows if line.startswith(("*", "["))]  # an argument of the \\ before it
    plain = re.sub(r"\\[\\&%$#_{}]|\$(?:\\pm|[<>|])\$", "", text)
    assert plain.count("{") == plain.count("}")
    assert not re.search(r"[#$^~<>|%]", plain.partition("\n")[2])  # the first line is a comment


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles(awkward: GapMatrix, measured: GapTable, tmp_path: Path):
    """Claim: a real LaTeX with booktabs sets both tables without an error."""
    if subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).returncode:
        pytest.skip("this LaTeX has no booktabs")
    write(measured, tmp_path / "long.tex")
    parts = [to_latex(awkward), to_latex(measured.matrix()), (tmp_path / "long.tex").read_text(encoding="utf-8")]
    document = "\n".join([r"\documentclass{article}\usepackage{booktabs}\begin{document}", *parts, r"\end{document}"])
    (tmp_path / "d.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "d.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "d.pdf").stat().st_size > 1000


class Cells(HTMLParser):
    """The texts of a table's cells and the tags that were opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and {"td", "th"} & set(self.open):
            self.texts.append(data)


def test_html_is_well_formed(awkward: GapMatrix, tmp_path: Path):
    """Claim: all texts come back through a parser as they were, tags close, the file is the notebook's form."""
    parser = Cells()
    page = in_form(awkward, ".html", tmp_path)
    parser.feed(page)
    assert not parser.open
    assert parser.texts == [*awkward.headers, *(text for line in awkward.rows() for text in line)]
    assert page.count("<strong>") == 2
    assert awkward._repr_html_() in page
    assert "<script" not in page


def test_the_long_table_in_a_notebook(measured: GapTable):
    """Claim: the long table has the same form, a row for each of its own."""
    parser = Cells()
    parser.feed(measured._repr_html_())
    assert not parser.open
    assert len(re.findall("<t[dh][ >]", measured._repr_html_())) == 10 * 13  # headers, 12 rows


def test_terminal(awkward: GapMatrix):
    """Claim: every cell and footer reaches the terminal; bold and yellow say no more than the texts do."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(width=200, record=True, file=nowhere)
        console.print(to_rich(awkward))
    text = console.export_text()
    for line in (*(text for row in awkward.rows() for text in row), *awkward.footers(), awkward.caption):
        assert line in text


ARGUMENTS = ["--workload", "reference", "--hardware", "reference", "--policy", "sjf,vllm-v0", "--load", "0.5"]


def run(*more: str):
    return CliRunner().invoke(app, ["gap-table", *ARGUMENTS, "--requests", "60", "--replications", "2", *more])


def test_command(tmp_path: Path):
    """Claim: `--matrix` prints and writes the matrix, `--metric` implies it, `--json` prints it as one object."""
    done = run("--matrix", "--output", str(tmp_path / "m.csv"))
    assert done.exit_code == 0
    assert "gap of latency_mean_s to the best valid bound (%)" in done.stdout
    assert list(pd.read_csv(tmp_path / "m.csv")["policy"]) == ["sjf", "vllm-v0"]
    document = json.loads(run("--metric", "itl_p99_s", "--json").stdout)
    assert (document["metric"], document["quantity"]) == ("itl_p99_s", "value")
    assert [line["policy"] for line in document["rows"]] == ["sjf", "vllm-v0"]
    assert "eff. throughput" in run().stdout.replace("\n", " ")


def test_command_refuses_before_any_work(tmp_path: Path):
    """Claim: an unknown metric and a form that a matrix does not have raise at once."""
    for arguments, message in (
        (("--metric", "latency"), "unknown metric"),
        (("--metric", "goodput_requests_per_s"), "needs an objective"),
        (("--matrix", "--output", "x.txt"), "end in"),
    ):
        done = run(*arguments)
        assert message in str(done.exception)
        assert done.stdout == ""


def test_rows_without_a_load_stand_at_their_other_place():
    """Claim: on a fleet without a load rows are found, shown and framed by the rate; without either refused."""
    rows = [GapRow("fast", "none", None, {"latency_mean_s": Estimate(2.0, 0.1, 4)}, {}, True, 0, 4, at=4.7)]
    rows.append(replace(GapRow.not_run("wait", "class", None, "no thresholds"), at=4.7))
    table = GapTable("w", "f", 100, 4, 0, rows, axis="rate_per_s")
    assert table.loads == ()
    assert table.row("fast", 4.7) is rows[0]
    assert table.headers[2] == "rate (1/s)"
    matrix = table.matrix("latency_mean_s")
    assert matrix.headers == ("policy", "information", "rate 4.7 (1/s)")
    assert matrix.footers()[0].startswith("no marks at rate 4.7 (1/s): ")
    frame = table.to_frame()
    assert frame["load"].dtype == "float64"
    assert frame["load"].isna().all()
    assert frame["rate_per_s"].tolist() == [4.7, 4.7]
    with pytest.raises(InputError, match="'fast' without a load needs another place"):
        assert replace(rows[0], at=None).place
