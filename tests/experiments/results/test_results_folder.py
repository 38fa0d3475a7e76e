"""A results folder: opening, compaction, reading while it changes."""

import json
import os
import threading
import time

import pyarrow as pa
import pytest
from drawing import Drawing
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.results.compaction import LEFTOVER_S, compact, set_damaged_aside
from experiments.results.failures import MOST_LINE, MOST_TRACEBACK, UNREADABLE
from experiments.results.folder import ResultsFolder
from experiments.results.marker import FORMAT
from experiments.results.parts import encode
from experiments.results.plan import Plan
from experiments.results.sealed import sealed
from orsched.errors import InputError

TASKS = Drawing(first_replications=5).tasks()
PARTS = {task.id: encode(task.compute()) for task in TASKS}


def filled(path, ids=tuple(PARTS)):
    folder = ResultsFolder.create(path)
    for task in ids:
        folder.parts.write(task, PARTS[task])
    return folder


def read(folder):
    return sorted(folder.rows().table.to_pylist(), key=lambda row: row["task"])


@settings(max_examples=25)
@given(steps=st.lists(st.one_of(st.just("compact"), st.sampled_from(list(PARTS))), max_size=40))
def test_compaction_changes_nothing_that_is_read(tmp_path_factory, steps):
    """Claim: whatever is written and compacted in whatever order, each task is finished and read exactly once."""
    folder = ResultsFolder.create(tmp_path_factory.mktemp("results"))
    written = set()
    for step in steps:
        if step == "compact":
            assert compact(folder) == ()
            assert folder.parts.names() == set()
        else:
            folder.parts.write(step, PARTS[step])
            written.add(step)
        assert folder.finished() == written
    rows = folder.rows()
    assert rows.damaged == ()
    assert sorted(rows.table["task"].to_pylist()) == sorted(written)
    assert len(folder.segments.paths()) <= 1


def test_a_reader_sees_every_task_while_parts_are_compacted(tmp_path):
    """Claim: a reading or listing that overlaps with compactions and rewritten parts misses and doubles nothing."""
    folder = filled(tmp_path)
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            compact(folder)
            for task in list(PARTS)[:5]:
                folder.parts.write(task, PARTS[task])

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        for _ in range(30):
            assert folder.finished() == set(PARTS)
            assert sorted(folder.rows(["task"]).table["task"].to_pylist()) == sorted(PARTS)
    finally:
        stop.set()
        worker.join()


@pytest.mark.parametrize("how", ["truncated", "changed", "emptied"])
def test_a_damaged_segment_is_named_set_aside_and_not_trusted(tmp_path, how):
    """Claim: its tasks count as missing, the message names the file, the file is kept, the rest is read."""
    ids = list(PARTS)
    folder = filled(tmp_path, ids[:4])
    compact(folder)
    (segment,) = folder.segments.paths()
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes({"truncated": data[:-9], "changed": data, "emptied": b""}[how])
    filled(tmp_path, ids[4:6])
    rows = folder.rows()
    assert sorted(rows.table["task"].to_pylist()) == sorted(ids[4:6])
    assert len(rows.damaged) == 1
    assert segment.name in rows.damaged[0]
    (message,) = set_damaged_aside(folder)
    assert segment.name in message
    assert "computed again" in message
    assert (folder.path / "damaged" / segment.name).exists()
    assert folder.finished() == set(ids[4:6])


def test_a_damaged_part_is_set_aside_by_compaction(tmp_path):
    """Claim: compaction takes the sound parts and names and keeps the damaged one."""
    folder = filled(tmp_path)
    victim = next(iter(PARTS))
    folder.parts.write(victim, PARTS[victim][:-20])
    (message,) = compact(folder)
    assert victim in message
    assert folder.finished() == set(PARTS) - {victim}
    assert (folder.path / "damaged" / f"{victim}.parquet").exists()


def test_what_killed_processes_left_behind_is_removed_when_it_is_old(tmp_path):
    """Claim: a half-written file is no result, stays while it may be written, and goes later."""
    folder = filled(tmp_path)
    places = [folder.path, *(folder.path / name for name in ("parts", "segments", "failures"))]
    new, old = ([place / f".{name}.parquet.x.part" for place in places] for name in ("new", "old"))
    for path in (*new, *old):
        path.write_bytes(b"PAR1")
    long_ago = time.time() - LEFTOVER_S - 10
    for path in old:
        os.utime(path, (long_ago, long_ago))
    compact(folder)
    assert all(path.exists() for path in new)
    assert not any(path.exists() for path in old)
    assert folder.finished() == set(PARTS)


def test_files_that_are_none_of_ours_are_left_alone(tmp_path):
    """Claim: other names in the folders are neither results nor removed."""
    folder = filled(tmp_path)
    others = [folder.path / place / "notes.parquet" for place in ("parts", "segments")]
    for path in others:
        path.write_text("mine")
    compact(folder)
    assert folder.finished() == set(PARTS)
    assert all(path.read_text() == "mine" for path in others)


def test_what_is_no_results_folder_is_refused_and_not_changed(tmp_path):
    """Claim: a file, a folder of something else, a missing one: one clear line each, nothing written."""
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_text("text")
    other.mkdir()
    (other / "thesis.tex").write_text("precious")
    for make, path, message in (
        (ResultsFolder.open, tmp_path / "none", "there is none"),
        (ResultsFolder.open, file, "is a file"),
        (ResultsFolder.open, other, "not a folder of results"),
        (ResultsFolder.create, file, "file"),
        (ResultsFolder.create, other, "not a folder of results"),
        (ResultsFolder.create, file / "below", "cannot be written to"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            make(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"format": 1}', "[" * 9000])
def test_a_damaged_marker_is_refused(tmp_path, text):
    """Claim: a format file that is none stops everything before anything is changed."""
    folder = filled(tmp_path / "results")
    (folder.path / "format.json").write_text(text)
    for make in (ResultsFolder.open, ResultsFolder.create):
        with pytest.raises(InputError, match=r"format\.json is damaged"):
            make(folder.path)
    assert folder.finished() == set(PARTS)


def test_a_folder_of_another_format_is_refused(tmp_path):
    """Claim: both formats and the writer's version are named; nothing is changed."""
    folder = filled(tmp_path / "results")
    (folder.path / "format.json").write_text(json.dumps({"format": FORMAT + 1, "orsched": "9.9"}))
    for make in (ResultsFolder.open, ResultsFolder.create):
        with pytest.raises(InputError, match=rf"format is {FORMAT + 1} \(written by orsched 9\.9\).*format {FORMAT}"):
            make(folder.path)
    assert folder.finished() == set(PARTS)


def test_an_empty_folder_becomes_a_results_folder(tmp_path):
    """Claim: also when a killed run left half of its marker behind."""
    (tmp_path / ".format.json.abc.part").write_text("{")
    ResultsFolder.create(tmp_path)
    assert ResultsFolder.open(tmp_path).finished() == set()


def test_a_failure_is_kept_counted_and_forgotten(tmp_path):
    """Claim: traceback, error and number of attempts are read back; a damaged record is a failure until set aside."""
    folder = ResultsFolder.create(tmp_path)
    task = next(iter(PARTS))
    folder.failed.write(task, "a at 0.5", "ValueError: no", "Traceback ...\nValueError: no\n")
    again = folder.failed.write(task, "a at 0.5", "ValueError: still no", "Traceback ...\nValueError: still no\n")
    assert (again.attempts, again.error) == (2, "ValueError: still no")
    assert folder.failures() == [again]
    for text in ('{"task": 1}', '{"ta', ""):
        folder.failed.path(task).write_text(text)
        (damaged,) = folder.failures()
        assert (damaged.task, damaged.error) == (task, UNREADABLE)
    (message,) = set_damaged_aside(folder)
    assert task in message
    assert folder.failures() == []
    assert folder.failed.names() == set()
    folder.failed.write(task, "a at 0.5", "ValueError: no", "")
    folder.failed.remove(task)
    folder.failed.remove(task)
    assert folder.failed.names() == set()


@pytest.mark.parametrize("character", ["x", "\x00", "é", "\ud800", "\n"])
def test_a_failure_of_any_size_is_read_back(tmp_path, character):
    """Claim: a message of millions of characters, of whatever kind, is cut to one line and still a failure."""
    folder = ResultsFolder.create(tmp_path)
    task, text = next(iter(PARTS)), f"ValueError: {character * 3_000_000}"
    written = folder.failed.write(task, text, text, f"Traceback\n{text}\n" * 3)
    (found,) = folder.failures()
    assert found.error.startswith("ValueError:")
    assert len(found.error) <= MOST_LINE
    assert len(found.traceback) <= MOST_TRACEBACK
    assert (found.task, found.attempts) == (written.task, 1)
    assert folder.failed.write(task, text, text, text).attempts == 2


def test_what_is_no_plain_file_neither_counts_nor_hangs(tmp_path):
    """Claim: pipes, folders and links to nothing under names of tasks are no results, are set aside, and never read."""
    folder = ResultsFolder.create(tmp_path)
    pipe, below, link, record = list(PARTS)[:4]
    for _ in range(2):
        os.mkfifo(folder.parts.path(pipe))
        (folder.parts.path(below) / "inner").mkdir(parents=True)
        folder.parts.path(link).symlink_to("nowhere")
        os.mkfifo(folder.failed.path(record))
        (folder.path / "segments" / f"{pipe}.parquet").symlink_to("nowhere")
        assert folder.finished() == set()
        assert folder.failures() == []
        assert len(folder.rows().table) == 0
        assert compact(folder) == ()
        assert len(set_damaged_aside(folder)) == 5
        assert list((folder.path / "parts").iterdir()) == list((folder.path / "failures").iterdir()) == []
    os.mkfifo(folder.path / "plan.parquet")
    with pytest.raises(InputError, match="no plain file"):
        folder.plan()
    (folder.path / "format.json").unlink()
    os.mkfifo(folder.path / "format.json")
    with pytest.raises(InputError, match="no plain file"):
        ResultsFolder.open(folder.path)


@pytest.mark.parametrize("how", ["column missing", "other type", "empty value", "other kind"])
def test_a_sound_file_of_another_schema_is_set_aside(tmp_path, how):
    """Claim: a segment with a right digest that is not of this format is damaged too: its tasks are run anew."""
    folder = filled(tmp_path)
    compact(folder)
    (segment,) = folder.segments.paths()
    table = folder.segments.read(segment)
    at = table.schema.get_field_index
    text = pa.array(["x"] * len(table))
    table = {
        "column missing": lambda: table.drop_columns(["wall_s"]),
        "other type": lambda: table.set_column(at("wall_s"), "wall_s", text),
        "empty value": lambda: table.set_column(at("reason"), "reason", pa.nulls(len(table), pa.string())),
        "other kind": lambda: table.set_column(at("kind"), "kind", text),
    }[how]()
    segment.write_bytes(sealed(table, "zstd"))
    (message,) = set_damaged_aside(folder)
    assert segment.name in message
    assert folder.finished() == set()


def test_a_plan_is_read_back_and_a_shorter_one_does_not_replace_it(tmp_path):
    """Claim: a runner in an earlier round leaves the longer plan in place; that of another experiment is refused."""
    folder = ResultsFolder.create(tmp_path)
    folder.specification.write_text("mine")
    places = [(task.id, task.place) for task in TASKS]
    longer, shorter = Plan.of("spec", "code", places), Plan.of("spec", "code", places[:6])
    other = Plan.of("other", "code", places[:6])
    with pytest.raises(InputError, match="another experiment here meanwhile"):
        folder.write_plan(shorter, "of another")
    with pytest.raises(InputError, match="has no plan"):
        folder.plan()
    for plan, expected in ((shorter, shorter), (longer, longer), (shorter, longer)):
        folder.write_plan(plan, "mine")
        found = folder.plan()
        assert (found.spec, found.places()) == (expected.spec, expected.places())
    with pytest.raises(InputError, match="another experiment here meanwhile"):
        folder.write_plan(other, "mine")
    assert folder.plan().spec == "spec"


def test_a_lost_or_damaged_plan_is_said(tmp_path):
    """Claim: a reader is told to run the specification again."""
    folder = ResultsFolder.create(tmp_path)
    with pytest.raises(InputError, match="run its specification again"):
        folder.plan()
    (tmp_path / "plan.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"plan\.parquet.*run the specification again"):
        folder.plan()
