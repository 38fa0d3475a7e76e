"""Cells: computed once, found again, the same whatever the number of workers; and the page made of them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from reproductions import POINTS, small, small_sweep

from experiments import reproductions
from experiments.cli import main
from experiments.reproductions.store import CellStore
from experiments.reproductions.study import run_study, tasks_of
from experiments.reproductions.sweep import Family
from experiments.reproductions.tasks import Task
from experiments.reproductions.verdict import Outcome
from experiments.reproductions.wait import WAIT
from orsched.errors import InputError


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch):
    """The small reproduction under its name, beside the others."""
    both = {**reproductions.REPRODUCTIONS, "small": small()}
    monkeypatch.setattr(reproductions, "REPRODUCTIONS", both)


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path: Path):
    """Claim: cells in the store are not computed again, damaged ones are; the study is the same as in one go."""
    sweeps, tasks = (replace(small_sweep(), points=POINTS[:1]),), []
    done = []
    store = CellStore(tmp_path / "cells")
    whole = run_study(sweeps, 0, store, workers=1, on_cell_done=lambda: done.append(1))
    tasks = tasks_of(sweeps, 0)
    assert len(done) == len(tasks) == 5
    files = sorted((tmp_path / "cells").glob("*.json"))
    written = {file: file.stat().st_mtime_ns for file in files}
    files[0].unlink()
    files[1].write_text("{broken")
    again = run_study(sweeps, 0, store, workers=1)
    assert again.found == whole.found
    assert [file for file in files if file.stat().st_mtime_ns == written[file]] == files[2:]
    store.clear()
    assert not (tmp_path / "cells").exists()


def test_a_cell_counts_only_for_its_settings(tmp_path: Path):
    """Claim: another seed, grid, rate or number of paths is another cell."""
    sweep = small_sweep()
    first = Task(sweep, POINTS[0], "sarathi", 0)
    others = (
        replace(first, seed=1),
        replace(first, point=POINTS[1]),
        replace(first, family="wait"),
        replace(first, sweep=replace(sweep, caps=(21,))),
        replace(first, sweep=replace(sweep, replications=3)),
    )
    assert len({first.identity, *(task.identity for task in others)}) == 6
    store = CellStore(tmp_path)
    store.put(first.identity, {"a": 1})
    assert store.get(first.identity) == {"a": 1}
    assert store.get(others[0].identity) is None


def test_workers_do_not_change_the_study(tmp_path: Path):
    """Claim: one process and two give the same cells."""
    sweeps = (replace(small_sweep(), points=POINTS[:1]),)
    alone, both = (run_study(sweeps, 0, CellStore(tmp_path / str(n)), workers=n) for n in (1, 2))
    assert alone.found == both.found


def test_what_cannot_run_is_a_row_and_no_bound_is_beaten(tmp_path: Path):
    """Claim: a family without a setting has no numbers and a reason, and gaps to pathwise bounds are positive."""

    def never(cap, law, fleet):
        raise InputError(f"cap {cap}: not for me")

    sweep = replace(small_sweep((Family("never", never),)), points=POINTS[:1])
    study = run_study((sweep,), 0, CellStore(tmp_path), workers=1)
    cells = {cell.family: cell for cell in study.cells(sweep)}
    assert not cells["never"].rows
    assert "not for me" in cells["never"].found["reason"]
    assert all(min(cell.gaps) > 0 for name, cell in cells.items() if name != "never")
    with pytest.raises(InputError, match="no sweep 'other': small were run"):
        study.sweep("other")


def test_the_command_writes_the_same_page_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str], registered: None):
    """Claim: the page and its figure are the same bytes for the same seed, with verdicts by the rule and all settings
    on it; one JSON object is printed; no cells are left behind."""
    documents = []
    for folder in ("a", "b"):
        assert main(["reproduce", "small", "--out", str(tmp_path / folder), "--workers", "1", "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0] == documents[1]
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["small-small.png", "small.md"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    page = (tmp_path / "a" / "small.md").read_text()
    assert "| a figure | 3 | code |  | not comparable | drawn by hand |" in page
    assert "![Mean latency against arrival rate, small](small-small.png)" in page
    cell = next(c for c in documents[0]["sweeps"][0]["cells"] if (c["policy"], c["rate_per_s"]) == ("wait", 8.0))
    assert f"cap {cell['cap']}, n = 2" in page or f"cap {cell['cap']}, n = 1" in page
    assert len(cell["rows"]) == len(cell["bounds"]) == 2
    assert {entry["verdict"] for entry in documents[0]["comparisons"]} <= {
        "reproduced",
        "not reproduced",
        "not comparable",
    }


def test_bad_input_is_refused_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str], registered: None):
    """Claim: an unknown paper, a negative seed and a folder that is a file give one line and exit code 2."""
    (tmp_path / "file").write_text("")
    for arguments, message in (
        (["wiat"], "unknown reproduction 'wiat': did you mean 'wait'?"),
        (["small", "--seed", "-1", "--out", str(tmp_path)], "seed = -1"),
        (["small", "--out", str(tmp_path / "file")], "is a file, not a folder"),
    ):
        assert main(["reproduce", *arguments]) == 2
        assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_quick_sweeps_are_the_first_of_the_full_ones_made_small():
    """Claim: --quick runs sweeps that the full study has, with fewer paths, caps and requests."""
    full = {sweep.name: sweep for sweep in WAIT.sweeps(False)}
    for sweep in WAIT.sweeps(True):
        whole = full[sweep.name]
        assert set(sweep.caps) <= set(whole.caps)
        assert sweep.replications < whole.replications
        assert {point.rate_per_s for point in sweep.points} <= {point.rate_per_s for point in whole.points}
        assert max(point.requests for point in sweep.points) < min(point.requests for point in whole.points)


@pytest.mark.slow
def test_the_quick_version_of_wait(tmp_path: Path):
    """Claim: `orsched reproduce wait --quick` runs, says that it is the quick version, and judges every number."""
    assert main(["reproduce", "wait", "--quick", "--out", str(tmp_path), "--workers", "1"]) == 0
    page = (tmp_path / "wait-quick.md").read_text()
    assert "**A quick version" in page
    rows = [line for line in page.splitlines() if " | paper | " in line or " | code | " in line]
    assert len(rows) == len(WAIT.published())
    assert all(any(f" | {outcome.value} | " in row for outcome in Outcome) for row in rows)
