"""Runs survive the disk exactly, and nothing that is not a run is read as one."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orsched.errors import InputError
from orsched.objectives import Objectives
from orsched.run import Run
from orsched.run_files import load_run, save_run

ENDINGS = (".parquet", ".csv")


def make_run(n: int = 5, instances: int = 2, seed: int = 0) -> Run:
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(1, n))
    scheduled = arrival + rng.exponential(1, n)
    first = scheduled + rng.exponential(1, n) * 1e-7
    return Run(
        policy='a "policy", é\nwith a line break',
        information="none",
        workload="w,1",
        fleet="2x h",
        arrival_s=arrival,
        input_tokens=rng.integers(1, 9, n),
        output_tokens=rng.integers(1, 2**62, n),
        first_scheduled_s=scheduled,
        first_token_s=first,
        completion_s=first + rng.exponential(1, n),
        preemptions=rng.integers(0, 3, n),
        instance=rng.integers(0, instances, n),
        busy_s=rng.exponential(1, instances),
        batch_s=rng.exponential(1, instances),
        kv_token_s=rng.exponential(1, instances) * 1e300,
        iterations=rng.integers(0, 99, instances),
        kv_capacity_tokens=rng.integers(1, 99, instances),
        max_num_seqs=rng.integers(1, 9, instances),
        rejected=np.zeros(n, dtype=np.int64),
        restarts=rng.integers(0, 3, n),
        migrations=rng.integers(0, 3, n),
        on_s=1e9 + rng.exponential(1, instances),
    )


def assert_same(one: Run, other: Run) -> None:
    for field in fields(Run):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, field.name
            assert a.tobytes() == b.tobytes(), field.name
        else:
            assert a == b, field.name


@pytest.mark.parametrize("ending", ENDINGS)
@given(n=st.integers(1, 30), instances=st.integers(1, 3), seed=st.integers(0, 2**31))
@settings(max_examples=20)
def test_round_trip_is_exact(tmp_path_factory, ending, n, instances, seed):
    """Every bit of every number, and every text, comes back."""
    path = tmp_path_factory.mktemp("runs") / f"run{ending}"
    run = make_run(n, instances, seed)
    save_run(run, path)
    assert_same(run, load_run(path))


@pytest.mark.parametrize("ending", ENDINGS)
def test_awkward_floats_survive(tmp_path, ending):
    """Subnormal, huge and neighbouring doubles come back bit by bit, also where a parser might round."""
    times = np.array([5e-324, 0.1 + 0.2, np.nextafter(1, 2), 1e22, 1.7976931348623157e308])
    run = replace(make_run(), arrival_s=times, first_scheduled_s=times, first_token_s=times, completion_s=times)
    save_run(run, tmp_path / f"run{ending}")
    assert_same(run, load_run(tmp_path / f"run{ending}"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_unfinished_requests_survive(tmp_path, ending):
    """A time that never came is NaN before and after."""
    run = make_run()
    run.completion_s[2] = run.first_token_s[2] = np.nan
    save_run(run, tmp_path / f"run{ending}")
    assert_same(run, load_run(tmp_path / f"run{ending}"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_same_run_same_bytes(tmp_path, ending):
    """Writing a run twice gives the same file, over an existing one too, and leaves nothing else behind."""
    one, other = tmp_path / f"one{ending}", tmp_path / f"other{ending}"
    other.write_text("old")
    save_run(make_run(), one)
    save_run(make_run(), str(other))
    assert one.read_bytes() == other.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [one.name, other.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_failed_write_keeps_the_old_file(tmp_path, ending, monkeypatch):
    """When writing fails halfway the old file is untouched and no part is left."""
    path = tmp_path / f"run{ending}"
    save_run(make_run(), path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orsched.atomic.os.replace", fail)
    with pytest.raises(InputError, match=r"cannot write .*No space left"):
        save_run(make_run(9), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_names_must_end_in_a_known_format(tmp_path):
    """Nothing is ever unpickled: only .parquet and .csv are written or read."""
    with pytest.raises(InputError, match="must end in"):
        save_run(make_run(), tmp_path / "run.pkl")
    with pytest.raises(InputError, match="must end in"):
        load_run(tmp_path / "run.pkl")


@pytest.mark.parametrize("ending", ENDINGS)
def test_missing_files_and_folders_are_named(tmp_path, ending):
    """A path that cannot be opened is an input error that names it."""
    with pytest.raises(InputError, match=r"cannot read .*missing"):
        load_run(tmp_path / f"missing{ending}")
    with pytest.raises(InputError, match=r"cannot write .*missing"):
        save_run(make_run(), tmp_path / "missing" / f"run{ending}")


def _edit(path, change):
    """Rewrite a stored CSV run: `change(header dict, list of rows)`."""
    first, *rows = path.read_text(encoding="utf-8").splitlines()
    header = json.loads(first.removeprefix("# orsched_run "))
    change(header, rows)
    path.write_text("\n".join([f"# orsched_run {json.dumps(header)}", *rows]) + "\n", encoding="utf-8")


def _cell(row, column, value):
    def change(header, rows):
        cells = rows[row + 1].split(",")
        cells[rows[0].split(",").index(column)] = value
        rows[row + 1] = ",".join(cells)

    return change


def _head(name, value):
    return lambda header, rows: header.update({name: value})


BAD = {
    "version": (_head("version", 4), "version 1 to 3"),
    "unknown field": (_head("extra", 2), "extra"),
    "number for a name": (_head("policy", 7), "'policy' = 7: must be a text"),
    "true for a count": (_head("max_num_seqs", [True, 1]), "list of int64"),
    "one count for all": (_head("max_num_seqs", 4), "list of int64"),
    "no capacity": (_head("kv_capacity_tokens", [0, 1]), "whole number >= 1"),
    "scalar integral": (_head("busy_s", 3.0), "'busy_s'.*list"),
    "negative integral": (_head("busy_s", [1.0, -1.0]), "finite and >= 0"),
    "infinite integral": (_head("busy_s", [1.0, float("inf")]), "finite and >= 0"),
    "uneven integrals": (_head("busy_s", [1.0]), "differ in length"),
    "huge count": (_head("iterations", [10**30, 1]), "out of range"),
    "late token": (_cell(3, "first_token_s", "0.0"), "'first_token_s' row 3 = 0.0.*not before first_sched"),
    "no start but an end": (_cell(1, "first_scheduled_s", "nan"), "'first_token_s' row 1"),
    "infinite end": (_cell(1, "completion_s", "inf"), "'completion_s' row 1"),
    "empty": (_cell(1, "arrival_s", ""), "not a run file"),
    "no arrival": (_cell(1, "arrival_s", "nan"), "'arrival_s' row 1"),
    "unsorted": (_cell(0, "arrival_s", "1e9"), "'(arrival|first_scheduled)_s' row"),
    "no output": (_cell(4, "output_tokens", "0"), "'output_tokens' row 4 = 0: must be >= 1"),
    "unknown instance": (_cell(4, "instance", "2"), "'instance' row 4 = 2: there are 2 instances"),
    "half a token": (_cell(0, "input_tokens", "1.5"), "not a run file"),
    "words": (_cell(0, "arrival_s", "soon"), "not a run file"),
    "too large": (_cell(0, "input_tokens", "9" * 30), "not a run file|input_tokens"),
    "too many cells": (lambda h, rows: rows.__setitem__(2, rows[2] + ",1,2,3"), "not a run file|column"),
    "no rows": (lambda h, rows: rows.__delitem__(slice(1, None)), "at least one request|column"),
    "renamed": (lambda h, rows: rows.__setitem__(0, rows[0].replace("instance", "pod")), "'instance'"),
}


def _age(version):
    """Turn a stored run into what an earlier version would have written."""

    def change(header, rows):
        header["version"] = version
        header["kv_capacity_tokens"], header["max_num_seqs"] = 100, 4
        del header["on_s"]
        if version == 1:
            del header["energy_j"]
        rows[:] = [",".join(row.split(",")[:-3]) for row in rows]

    return change


@pytest.mark.parametrize("version", [1, 2])
def test_files_of_earlier_versions_are_read(tmp_path, version):
    """Claim: a run from before there were fleets of several kinds reads as one of identical instances, always on."""
    path = tmp_path / "run.csv"
    run = make_run()
    save_run(run, path)
    _edit(path, _age(version))
    old = load_run(path)
    assert_same(
        replace(
            run,
            kv_capacity_tokens=np.array([100, 100]),
            max_num_seqs=np.array([4, 4]),
            on_s=np.full(2, run.makespan_s),
            **dict.fromkeys(("rejected", "restarts", "migrations"), np.zeros(5, dtype=np.int64)),
        ),
        old,
    )


@pytest.mark.parametrize("version", [1, 2])
def test_earlier_versions_have_no_later_fields(tmp_path, version):
    """Claim: a header that says it is old and has a newer field, or no number where one was, is refused."""
    path = tmp_path / "run.csv"
    for change, message in ((_head("on_s", [1.0, 1.0]), "unknown in version"), (_head("max_num_seqs", True), "whole")):
        save_run(make_run(), path)
        _edit(path, _age(version))
        _edit(path, change)
        with pytest.raises(InputError, match=message):
            load_run(path)


@pytest.mark.parametrize("case", BAD)
def test_wrong_content_is_refused_by_name(tmp_path, case):
    """Whatever cannot be right in a stored run is refused, naming file and place."""
    change, message = BAD[case]
    path = tmp_path / "run.csv"
    save_run(make_run(), path)
    _edit(path, change)
    with pytest.raises(InputError, match=message) as caught:
        load_run(path)
    assert "run.csv" in str(caught.value)


def test_parquet_schema_is_checked(tmp_path):
    """Mistyped columns, nulls, foreign tables and too many rows are refused before they become a run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "run.parquet"
    save_run(make_run(), path)
    table = pq.read_table(path)
    at = table.schema.get_field_index("preemptions")
    for column, message in (
        (pa.array(["x"] * 5), "'preemptions' is string, must be int64"),
        (pa.array([1, None, 2, 3, 4], pa.int64()), "'preemptions' has 1 nulls"),
    ):
        pq.write_table(table.set_column(at, "preemptions", column), path)
        with pytest.raises(InputError, match=message):
            load_run(path)
    pq.write_table(table.replace_schema_metadata(None), path)
    with pytest.raises(InputError, match="header"):
        load_run(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(InputError, match="header"):
        load_run(path)
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(InputError, match="'a' is unknown"):
        load_run(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_size_limit(tmp_path, ending, monkeypatch):
    """A file with more requests than the limit is refused."""
    path = tmp_path / f"run{ending}"
    save_run(make_run(20), path)
    monkeypatch.setattr("orsched.run_files.MAX_REQUESTS", 10)
    with pytest.raises(InputError, match="at most 10"):
        load_run(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_damaged_files_never_raise_anything_else(tmp_path, ending):
    """Truncated and randomly corrupted (seeded) files give a run or an `InputError`, nothing else."""
    path = tmp_path / f"run{ending}"
    save_run(make_run(40), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(150):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 4):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged if trial % 2 else whole[: rng.integers(0, len(whole))]))
        try:
            load_run(path)
        except InputError:
            refused += 1
    assert refused > 75


def with_objectives() -> Run:
    """A run of which one request was rejected, with objectives and lateness."""
    run = make_run()
    lost = np.arange(5) == 2
    times = {name: np.where(lost, np.nan, getattr(run, name)) for name in ("first_token_s", "completion_s")}
    limits = Objectives(np.full(5, 0.5), np.full(5, 0.1), np.array([0, 1, 1, 0, 1]), ("a, b", "c"))
    late = np.where(lost, np.inf, np.linspace(-1, 1, 5))
    return replace(run, **times, rejected=lost.astype(np.int64), lateness_s=late, objectives=limits)


@pytest.mark.parametrize("ending", ENDINGS)
def test_objectives_and_lateness_survive(tmp_path, ending):
    """Claim: limits, classes with their names, and lateness come back bit by bit, each also without the other."""
    path = tmp_path / f"run{ending}"
    run = with_objectives()
    for kept in (run, replace(run, lateness_s=None), replace(run, objectives=None)):
        save_run(kept, path)
        found = load_run(path)
        assert_same(replace(kept, objectives=None), replace(found, objectives=None))
        assert (found.objectives is None) == (kept.objectives is None)
        if found.objectives is not None:
            assert found.objectives.names == ("a, b", "c")
            assert found.objectives.agrees(run.objectives)
            assert found.objectives.class_id.tolist() == [0, 1, 1, 0, 1]


BAD_OBJECTIVES = {
    "no limit": (_cell(1, "ttft_limit_s", "nan"), r"Objectives.ttft_s\[1\] = nan"),
    "class": (_cell(1, "class_id", "2"), r"class_id\[1\] = 2: there are 2 names"),
    "names": (_head("classes", [1, 2]), "'classes' = .*list of names"),
    "classes without columns": (lambda h, rows: rows.__setitem__(0, rows[0].replace("class_id", "kind")), "class_id"),
    "columns without classes": (lambda h, rows: h.pop("classes"), "'class_id' is unknown"),
    "lateness": (_head("lateness", 1), "'lateness' = 1: must be true"),
    "late but completed": (_cell(1, "lateness_s", "inf"), "'lateness_s' row 1 = inf: must be finite if"),
    "in time but rejected": (_cell(2, "lateness_s", "0.0"), "'lateness_s' row 2"),
    "no lateness": (_cell(1, "lateness_s", "nan"), "'lateness_s' row 1"),
}


@pytest.mark.parametrize("case", BAD_OBJECTIVES)
def test_wrong_objectives_are_refused_by_name(tmp_path, case):
    """Claim: limits, classes or lateness that cannot be right are refused, with the column and the row."""
    change, message = BAD_OBJECTIVES[case]
    path = tmp_path / "run.csv"
    save_run(with_objectives(), path)
    _edit(path, change)
    with pytest.raises(InputError, match=message):
        load_run(path)
