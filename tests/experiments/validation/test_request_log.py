"""Request logs: what is read, and what is refused with the place of the mistake."""

import gzip
import json

import numpy as np
import pytest

from experiments.cli import main
from experiments.validation.request_log import read_request_log
from experiments.validation.runs import bundled_runs
from orsched.errors import InputError
from orsched.workloads.files import Limits

HEADER = "gpu,model,arrival_s,input_tokens,output_tokens,queued_s,scheduled_s,first_token_s,last_token_s"
ROWS = (
    "H100,m,0,100,3,5.0,5.0,5.5,6.5",
    "H100,m,0.1,200,1,5.2,5.3,5.9,5.9",
    "H100,m,0.2,50,2,5.4,5.5,6.0,6.2",
)
SERVER = ["--hardware", "llama3.1-8b/rtx4090", "--max-num-seqs", "8", "--max-num-batched-tokens", "512"]


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def log_file(tmp_path):
    return write(tmp_path / "log.csv", HEADER, *ROWS)


def test_a_log_begins_when_its_first_request_is_queued(log_file):
    """Claim: stamps are moved so that the first is queued at 0; lengths are as in the file."""
    log = read_request_log(log_file)
    assert (log.name, len(log)) == ("log", 3)
    assert log.queued_s == pytest.approx([0, 0.2, 0.4])
    assert log.first_token_s == pytest.approx([0.5, 0.9, 1.0])
    assert log.output_tokens.tolist() == [3, 1, 2]
    assert log.in_system(np.array([-1.0, 0.0, 0.45, 0.95, 1.25, 1.55])).tolist() == [0, 1, 3, 2, 1, 0]


def test_the_order_of_rows_and_the_kind_of_file_do_not_matter(log_file, tmp_path):
    """Claim: shuffled, compressed or as LLMServingSim writes it, it is the same log."""
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress("\n".join([HEADER, *reversed(ROWS)]).encode()))
    lines = []
    for row in ROWS:
        cells = row.split(",")
        names = ("input_toks", "output_toks", "queued_ts", "scheduled_ts", "first_token_ts", "last_token_ts")
        numbers = [int(cells[3]), int(cells[4]), *(27_000 + float(cell) for cell in cells[5:])]
        about = {"request_id": "bench-0", "arrival_time": 1787267980.0}
        lines.append(json.dumps(about | dict(zip(names, numbers, strict=True))))
    raw = write(tmp_path / "requests.jsonl", *lines)
    expected = read_request_log(log_file)
    for other in map(read_request_log, (packed, raw)):
        for column in ("input_tokens", "output_tokens", "queued_s", "first_token_s", "last_token_s"):
            assert getattr(other, column) == pytest.approx(getattr(expected, column), abs=1e-9), column


def replaced(row, column, cell):
    cells = row.split(",")
    cells[HEADER.split(",").index(column)] = cell
    return ",".join(cells)


BAD_CELLS = [
    ("queued_s", "-1", "queued_s: -1"),
    ("queued_s", "nan", "queued_s"),
    ("queued_s", "soon", "queued_s"),
    ("last_token_s", "inf", "last_token_s"),
    ("first_token_s", "5.1", "first_token_s: 5.1 is before scheduled_s = 5.3"),
    ("last_token_s", "5.8", "last_token_s: 5.8 is before first_token_s = 5.9"),
    ("last_token_s", "6.0", "one output token, but later than first_token_s"),
    ("scheduled_s", "5.1", "scheduled_s: 5.1 is before queued_s = 5.2"),
    ("output_tokens", "0", "output_tokens: 0"),
    ("input_tokens", "7.5", "input_tokens: 7.5"),
    ("input_tokens", "99999999999", "input_tokens"),
]


@pytest.mark.parametrize(("column", "cell", "said"), BAD_CELLS)
def test_a_bad_cell_is_refused_with_its_place(column, cell, said, tmp_path, capsys):
    """Claim: typed on the command line: exit 2, one line naming row, line and column, nothing on standard output."""
    path = write(tmp_path / "log.csv", HEADER, ROWS[0], replaced(ROWS[1], column, cell), ROWS[2])
    assert main(["validate", "vllm-logs", "--log", str(path), *SERVER]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "row 2 (line 3)" in err
    assert said in err


BAD_FILES = {
    "missing": (HEADER.replace("queued_s", "queue_s"), "no column queued_s"),
    "unknown": (HEADER + ",mood", "unknown column 'mood'"),
    "doubled": (HEADER + ",queued_s", "column queued_s is there 2 times"),
    "no rows": (HEADER, "no requests"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_table_is_refused(case, tmp_path, capsys):
    """Claim: unknown, missing and doubled columns and an empty table are refused, naming what is known."""
    header, said = BAD_FILES[case]
    more = "," * (header.count(",") - HEADER.count(","))
    path = write(tmp_path / "log.csv", header, *(() if case == "no rows" else (row + more for row in ROWS)))
    assert main(["validate", "vllm-logs", "--log", str(path), *SERVER]) == 2
    out, err = capsys.readouterr()
    assert (out, said in err) == ("", True), err


@pytest.mark.parametrize(("name", "content", "said"), [("log.csv", "", "empty"), ("log.txt", "x", "must end in")])
def test_a_file_that_is_none_is_refused(name, content, said, tmp_path):
    """Claim: nothing in it, or of an unknown kind."""
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_request_log(path)


def test_too_large_a_log_is_refused(log_file):
    """Claim: beyond the limits of bytes or rows it is not read."""
    for limits in (Limits(file_bytes=10), Limits(rows=2)):
        with pytest.raises(InputError, match="limit"):
            read_request_log(log_file, limits=limits)


@pytest.mark.parametrize(
    "stamps",
    ["5000000,5500000,6500000", "5,5.5,1787267980"],
    ids=["microseconds", "one stamp is an epoch"],
)
def test_times_over_months_are_refused(stamps, tmp_path, capsys):
    """Claim: exit 2 and one line that asks for the unit, before a point per second of years is made."""
    header = "input_tokens,output_tokens,queued_s,first_token_s,last_token_s"
    path = write(tmp_path / "log.csv", header, "100,3,1.0,1.5,2.0", f"100,3,{stamps}")
    assert main(["validate", "vllm-logs", "--log", str(path), *SERVER]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "over 30 days is not read: are the times seconds, not milliseconds" in err


def test_ties_are_not_broken_by_what_was_measured(tmp_path):
    """Claim: of two requests queued at once the shorter comes first, whichever was answered first."""
    header = "input_tokens,output_tokens,queued_s,first_token_s,last_token_s"
    for first, second in (("1.5", "1.7"), ("1.7", "1.5")):
        path = write(tmp_path / "log.csv", header, f"200,3,1.0,{first},2.0", f"100,3,1.0,{second},2.0")
        assert read_request_log(path).input_tokens.tolist() == [100, 200]


def test_bundled_logs_are_the_traces_with_stamps():
    """Claim: three runs of 300 requests, the same lengths as the bundled traces, queued within 0.25 s of arrival."""
    from orsched.workloads import workload

    for run in bundled_runs():
        log, trace = run.log(), workload(f"vllm-{run.name}")
        assert len(log) == len(trace) == 300
        order = np.argsort(log.queued_s, kind="stable")
        assert sorted(zip(log.input_tokens, log.output_tokens, strict=True)) == sorted(
            zip(trace.input_tokens, trace.output_tokens, strict=True)
        )
        assert np.abs(log.queued_s[order] - trace.arrival_s).max() < 0.25
        seconds = run.seconds()
        assert abs(seconds.shift_s(log)) < 1
        assert (seconds.kv_share is None) == ("rtxpro6000" in run.name)
