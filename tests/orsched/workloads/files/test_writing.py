"""Writing workloads: exact round trips, and never half a file."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched.errors import InputError
from orsched.request import SLO, RequestClass
from orsched.workloads import Workload, read_workload, workload, write_workload
from orsched.workloads.files import FORMATS, writers

WORK = Workload.of([0.0, 0.1, 1 / 3], [5, 6, 7], [1, 2, 3])
names = st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=8)
objectives = st.none() | st.builds(SLO, st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))


@st.composite
def workloads(draw):
    """Workloads with classes, every class in use."""
    classes = draw(
        st.lists(st.builds(RequestClass, names, objectives), min_size=1, max_size=3, unique_by=lambda c: c.name)
    )
    n = draw(st.integers(len(classes), 12))
    arrivals = sorted(draw(st.lists(st.floats(0, 1e9), min_size=n, max_size=n)))
    tokens = st.lists(st.integers(1, 2**31 - 1), min_size=n, max_size=n)
    ids = draw(st.permutations([i % len(classes) for i in range(n)]))
    return Workload.of(arrivals, draw(tokens), draw(tokens), class_id=ids, classes=classes)


def assert_equal(left: Workload, right: Workload) -> None:
    for column in ("arrival_s", "input_tokens", "output_tokens", "class_id"):
        assert np.array_equal(getattr(left, column), getattr(right, column))
    assert left.classes == right.classes
    assert right.notices == ()


@pytest.mark.parametrize("suffix", FORMATS)
@given(work=workloads())
def test_round_trip_is_exact(suffix, work, tmp_path_factory):
    """What is read back equals what was written, to the last bit, classes and objectives included."""
    path = tmp_path_factory.mktemp("trip") / f"w{suffix}"
    write_workload(work, path)
    assert_equal(work, read_workload(path))


@pytest.mark.parametrize("suffix", FORMATS)
def test_round_trip_of_a_trace(suffix, tmp_path):
    """A bundled trace survives every format; the same workload gives the same bytes."""
    trace = workload("vllm-rtx4090-llama3.1-8b")
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_workload(trace, first)
    write_workload(trace, second)
    assert_equal(trace, read_workload(first))
    assert first.read_bytes() == second.read_bytes()


def test_default_class_is_not_written(tmp_path):
    """A workload of the one default class has just three columns."""
    write_workload(WORK, tmp_path / "w.csv")
    assert (tmp_path / "w.csv").read_text().splitlines()[0] == "arrival_s,input_tokens,output_tokens"


@pytest.mark.parametrize("suffix", FORMATS)
def test_failure_leaves_the_old_file_and_nothing_else(suffix, tmp_path, monkeypatch):
    """A failure in the middle of writing or at the final step keeps the old file and leaves no draft."""
    path = tmp_path / f"w{suffix}"
    path.write_bytes(b"old")

    def half(frame, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setitem(writers._WRITERS, suffix, half)
        with pytest.raises(InputError, match=r"cannot be written.*No space left"):
            write_workload(WORK, path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write_workload(WORK, path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


def test_impossible_targets(tmp_path):
    """A missing folder, a folder in the way and an unknown ending are refused; nothing is left behind."""
    (tmp_path / "in_the_way.csv").mkdir()
    for target in (tmp_path / "none" / "w.csv", tmp_path / "in_the_way.csv"):
        with pytest.raises(InputError, match="cannot be written"):
            write_workload(WORK, target)
    with pytest.raises(InputError, match="must end in"):
        write_workload(WORK, tmp_path / "w.xlsx")
    assert [p.name for p in tmp_path.iterdir()] == ["in_the_way.csv"]


@pytest.mark.parametrize("name", ["", "two\nlines"])
def test_class_names_that_would_not_come_back(name, tmp_path):
    """A class name that could not be read back is refused before anything is written."""
    work = Workload.of([0.0], [1], [1], classes=[RequestClass(name)])
    with pytest.raises(InputError, match="printable"):
        write_workload(work, tmp_path / "w.csv")
    assert list(tmp_path.iterdir()) == []


def test_damage_inside_our_parquet_is_noticed(tmp_path):
    """Pages carry checksums: a changed byte in the data is refused, not read as other numbers."""
    path = tmp_path / "w.parquet"
    write_workload(Workload.of(np.arange(500) * 0.37, np.arange(1, 501), np.arange(1, 501)), path)
    data = bytearray(path.read_bytes())
    data[200] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(InputError, match="not a complete Parquet file"):
        read_workload(path)
