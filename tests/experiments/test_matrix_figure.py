"""A gap matrix as a figure: what is in it, in which form, and that it can be read."""

import re
from html import unescape
from pathlib import Path

import pytest
from matplotlib import colormaps

from experiments.render.files import write
from experiments.render.matrix_figure import COLOURS, ink_on, luminance
from orsched.errors import InputError
from orsched.gap_matrix import GapMatrix
from orsched.gap_table import Gap, GapRow, GapTable
from orsched.statistics.estimate import Estimate, estimate

METRIC = "latency_mean_s"


def row(policy: str, load: float, gaps: tuple[float, ...] | None, stable: bool = True) -> GapRow:
    found = {}
    if gaps is not None:
        found[METRIC] = Gap(METRIC, estimate(gaps), "fluid-lp", Estimate(1.0, 0.0, 3), "pathwise", True, gaps)
    return GapRow(policy, "none", load, {METRIC: estimate([1.0, 2.0, 3.0])}, found, stable, 0 if stable else 3, 3)


@pytest.fixture
def matrix() -> GapMatrix:
    """The best, one worse, an unstable one, one without bound, one that could not run; names that mean something."""
    rows = [
        row("$a_b$ & <b>", 0.5, (1.0, 2.0, 3.0)),
        row("far", 0.5, (900.0, 1000.0, 1150.0)),
        row("grows", 0.5, (5.0, 6.0, 7.0), stable=False),
        row("picky", 0.5, None),
        GapRow.not_run("a name of many words that needs more than one line to be written", "class", 0.5, "no"),
    ]
    return GapTable("w_1", "f", 100, 3, 0, rows).matrix()


def texts(path: Path) -> list[str]:
    found = re.findall(r"<text[^>]*>(.*?)</text>", path.read_text(encoding="utf-8"), re.DOTALL)
    return [unescape(re.sub("<[^>]*>", "", text)).strip() for text in found]


def test_every_cell_is_written_with_its_mark(matrix: GapMatrix, tmp_path: Path):
    """Claim: the figure has the text of every cell, the names as they are, what the numbers are, and the footers."""
    write(matrix, tmp_path / "m.svg")
    found = texts(tmp_path / "m.svg")
    for cells in matrix.cells:
        assert matrix.text(cells[0]) in found
    assert {"unstable", "no bound", "not run", "load 0.5"} <= set(found)
    assert found.count("$a_b$ & <b> (none)") == 1
    together = " ".join(found)
    assert "a name of many words that" in together
    assert "gap of latency_mean_s to the best valid" in together
    assert "fluid-lp (pathwise, certified)" in together
    assert matrix.cells[0][0].standing == "best"
    assert f"{matrix.text(matrix.cells[0][0])}".endswith("*")


@pytest.mark.parametrize(("ending", "head"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_same_matrix_gives_the_same_file(matrix: GapMatrix, tmp_path: Path, ending: str, head: bytes):
    """Claim: PNG, SVG and PDF are written, whole, and the same every time."""
    names = [tmp_path / f"{name}{ending}" for name in "ab"]
    for name in names:
        write(matrix, name)
    first, second = (name.read_bytes() for name in names)
    assert first.startswith(head)
    assert first == second
    assert sorted(tmp_path.iterdir()) == names


def test_there_must_be_something_to_draw(tmp_path: Path):
    """Claim: a matrix without any number is refused, and no file is left."""
    nothing = GapTable("w", "f", 10, 3, 0, [row("grows", 0.5, (5.0, 6.0, 7.0), stable=False)]).matrix()
    with pytest.raises(InputError, match="nothing to draw"):
        write(nothing, tmp_path / "m.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [COLOURS, f"{COLOURS}_r"])
def test_numbers_can_be_read_on_every_colour(name: str):
    """Claim: a number has a contrast of at least 4.5 to 1 on each of the colours; lightness rises all the way."""
    lights = []
    for level in range(256):
        back = colormaps[name](level)
        light = luminance(back)
        ink = 1.0 if ink_on(back) == "white" else 0.0
        assert (max(light, ink) + 0.05) / (min(light, ink) + 0.05) >= 4.5
        lights.append(light)
    assert sorted(lights, reverse=name.endswith("_r")) == pytest.approx(lights, abs=0.01)
