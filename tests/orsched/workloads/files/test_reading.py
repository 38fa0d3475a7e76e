"""Reading traces: every format and dialect, and the matrix of bad input."""

from __future__ import annotations

import gzip
import json
import os

import numpy as np
import pandas as pd
import pytest

from orsched.errors import InputError
from orsched.request import SLO
from orsched.workloads import Limits, read_lengths, read_workload

OURS = "arrival_s,input_tokens,output_tokens\n0.5,10,3\n1.25,20,4\n"


@pytest.fixture
def put(tmp_path):
    """Write text, bytes or a frame to a file of the given name."""

    def write(name, content):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path, index=False)
        else:
            data = content.encode() if isinstance(content, str) else content
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def lines(*records):
    return "\n".join(json.dumps(record) for record in records) + "\n"


DIALECTS = [
    ("t.csv", OURS, [0.5, 1.25]),
    ("t.csv.gz", OURS, [0.5, 1.25]),
    (
        "t.csv",
        "\ufeff Arrival_S,other,OUTPUT_TOKENS , input_tokens\r\n0.5,x,3,10\r\n1.25,y,4,20\r\n",
        [0.5, 1.25],
    ),
    (
        "t.csv",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,10,3\n2023-11-16 18:15:50.9951690,20,4\n",
        [0.0, 4.314579],
    ),
    (
        "t.csv",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00+00:00,10,3\n2024-05-10 00:00:00.5+00:00,20,4\n",
        [0.0, 0.5],
    ),
    ("t.csv", "arrived_at,num_prefill_tokens,num_decode_tokens\n0.5,10,3\n1.25,20,4\n", [0.5, 1.25]),
    (
        "t.csv",
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,10,3,13,API log\n"
        "45,GPT-4,20,4,24,API log\n",
        [5.0, 45.0],
    ),
    (
        "t.jsonl",
        lines(
            {"timestamp": 0, "input_length": 10, "output_length": 3, "hash_ids": [1]},
            {"timestamp": 27482, "input_length": 20, "output_length": 4, "hash_ids": [1]},
        ),
        [0.0, 27.482],
    ),
    (
        "t.jsonl.gz",
        "\n"
        + lines(
            {"arrival_s": 0.5, "input_tokens": 10, "output_tokens": 3},
            {"arrival_s": 1.25, "input_tokens": 20, "output_tokens": 4},
        )
        + "\n\n",
        [0.5, 1.25],
    ),
    (
        "t.parquet",
        pd.DataFrame({"arrival_s": [0.5, 1.25], "input_tokens": [10, 20], "output_tokens": [3, 4]}).astype(
            {"input_tokens": "int32"}
        ),
        [0.5, 1.25],
    ),
    (
        "t.parquet",
        pd.DataFrame(
            {
                "TIMESTAMP": pd.to_datetime(["2023-11-16 18:15:46.0", "2023-11-16 18:15:47.5"]),
                "ContextTokens": [10.0, 20.0],
                "GeneratedTokens": [3, 4],
            }
        ),
        [0.0, 1.5],
    ),
    (
        "t.parquet",
        pd.DataFrame(
            {
                "timestamp": [0, 27482],
                "input_length": [10, 20],
                "output_length": [3, 4],
                "hash_ids": [[1], [1]],
            }
        ),
        [0.0, 27.482],
    ),
]


@pytest.mark.parametrize(("name", "content", "arrivals"), DIALECTS)
def test_formats_and_dialects(put, name, content, arrivals):
    """Every format, publisher's column names and clock give the same requests, times exact."""
    work = read_workload(put(name, content))
    assert work.name == "t"
    assert list(work.arrival_s) == arrivals
    assert list(work.input_tokens) == [10, 20]
    assert list(work.output_tokens) == [3, 4]
    assert len(work.classes) == 1


def test_name_can_be_given(put):
    """A name replaces the file's."""
    assert read_workload(str(put("t.csv", OURS)), name="mine").name == "mine"


def test_lengths_need_no_arrivals(put):
    """Length files without arrival times give a table of lengths, and are refused as workloads."""
    path = put("t.csv", "num_prefill_tokens,num_decode_tokens\n10,3\n20,4\n")
    assert list(read_lengths(path).output_tokens) == [3, 4]
    with pytest.raises(InputError, match="columns found: 'num_prefill_tokens', 'num_decode_tokens'; accepted"):
        read_workload(path)


def test_unsorted_rows_are_sorted_with_a_notice(put):
    """Rows out of order are sorted and the workload says so; ISO times count from the earliest."""
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-01-01T00:00:09,20,4\n2024-01-01T00:00:07,10,3\n"
    work = read_workload(put("t.csv", text))
    assert list(work.arrival_s) == [0.0, 2.0]
    assert list(work.input_tokens) == [10, 20]
    assert "sorted" in work.notices[0]


def test_class_names_get_ids_by_appearance(put):
    """With names alone, ids follow the first appearance; objectives belong to the class."""
    text = (
        "arrival_s,input_tokens,output_tokens,class,ttft_slo_s,tpot_slo_s\n"
        "0,1,1,chat,0.5,0.05\n1,1,1,batch,,\n2,1,1,chat,0.5,0.05\n"
    )
    work = read_workload(put("t.csv", text))
    assert list(work.class_id) == [0, 1, 0]
    assert [c.name for c in work.classes] == ["chat", "batch"]
    assert [c.slo for c in work.classes] == [SLO(0.5, 0.05), None]


def test_class_ids_without_names(put):
    """With ids alone, class i is class-i, and ids without rows exist too."""
    work = read_workload(put("t.csv", "arrival_s,input_tokens,output_tokens,class_id\n0,1,1,2\n1,1,1,0\n"))
    assert list(work.class_id) == [2, 0]
    assert [c.name for c in work.classes] == ["class-0", "class-1", "class-2"]


HEAD = "arrival_s,input_tokens,output_tokens\n"
GOOD = "0,1,1\n"
BAD_CSV = [
    (
        HEAD + GOOD * 16 + "2,5,abc\n",
        "row 17 (line 18), column output_tokens: 'abc' is not a whole number >= 1",
    ),
    (
        HEAD + GOOD + "\n\n1,5,\n",
        "row 2 (line 5), column output_tokens: the cell is empty, not a whole number",
    ),
    (HEAD + GOOD + "1,0,5\n", "row 2 (line 3), column input_tokens: 0 is not a whole number >= 1"),
    (HEAD + GOOD + "1,-3,5\n", "column input_tokens: -3 is not"),
    (HEAD + GOOD + "1,2.5,5\n", "column input_tokens: 2.5 is not"),
    (HEAD + GOOD + "1,nan,5\n", "column input_tokens: nan is not"),
    (HEAD + GOOD + "1,inf,5\n", "column input_tokens: inf is not"),
    (HEAD + GOOD + "1,1_0,5\n", "column input_tokens: '1_0' is not"),
    (HEAD + GOOD + "1,true,5\n", "row 2 (line 3), column input_tokens: 'true' is not"),
    (HEAD + GOOD + "1,99999999999,5\n", "is not a whole number <= 2147483647"),
    (HEAD + GOOD + "1,1" + "0" * 400 + ",5\n", "row 2 (line 3), column input_tokens"),
    (HEAD + "-1,1,5\n", "row 1 (line 2), column arrival_s: -1 is not a finite number of seconds >= 0"),
    (HEAD + "nan,1,5\n", "column arrival_s: nan is not"),
    (HEAD + "inf,1,5\n", "column arrival_s: inf is not"),
    (HEAD + "2024-01-01,1,5\n", "row 1 (line 2), column arrival_s"),
    (HEAD + GOOD + "1,2\n", "row 2 (line 3): 2 fields, 3 in the header"),
    (HEAD + GOOD + "1,2,3,4\n", "row 2 (line 3): 4 fields, 3 in the header"),
    (HEAD + GOOD + '1,"2,3\n', "row 2 (line 3): 2 fields, 3 in the header"),
    (HEAD, "no requests"),
    (
        "a,b\n1,2\n",
        "columns found: 'a', 'b'; accepted sets: arrival_s, input_tokens, output_tokens (orsched)",
    ),
    (
        "arrival_s;input_tokens;output_tokens\n1;2;3\n",
        "columns found: 'arrival_s;input_tokens;output_tokens'",
    ),
    ("arrival_s,input_tokens,input_tokens,output_tokens\n1,2,3,4\n", "column input_tokens is there 2 times"),
    ("\n\n", "no header line"),
    ("", "the file is empty"),
    (b"\xff\xfe\x00\x01", "the header is not UTF-8 text"),
    (HEAD.encode() + b"0,1,\xff\n", "row 1 (line 2), column output_tokens: b'\\xff' is not"),
    (b"arrival_s,input_tokens,output_tokens,class\n0,1,1,\xff\n", "not a readable CSV file"),
    (
        "TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n",
        "column TIMESTAMP: 'yesterday' is not an ISO 8601",
    ),
    (
        "timestamp,input_length,output_length\n-5,1,1\n",
        "column timestamp: -5 is not a finite number of milliseconds",
    ),
    (
        "Timestamp,Request tokens,Response tokens\n5,10,0\n",
        "row 1 (line 2), column Response tokens: 0 is not a whole number >= 1",
    ),
    ("arrival_s,input_tokens,output_tokens,class\n0,1,1,a\n0,1,1,\n", "row 2 (line 3), column class"),
    ("arrival_s,input_tokens,output_tokens,class_id\n0,1,1,-1\n", "column class_id: -1 is not"),
    ("arrival_s,input_tokens,output_tokens,class_id\n0,1,1,20000\n", "is not a whole number <= 9999"),
    (
        "arrival_s,input_tokens,output_tokens,class_id,class\n0,1,1,0,a\n0,1,1,0,b\n",
        "row 2 (line 3), column class: b but row 1 of the same class has a",
    ),
    ("arrival_s,input_tokens,output_tokens,ttft_slo_s\n0,1,1,0.5\n", "give both objectives or neither"),
    (
        "arrival_s,input_tokens,output_tokens,ttft_slo_s,tpot_slo_s\n0,1,1,0,1\n",
        "row 1 (line 2), column ttft_slo_s: SLO.ttft_s = 0.0",
    ),
    (
        "arrival_s,input_tokens,output_tokens,ttft_slo_s,tpot_slo_s\n0,1,1,x,1\n",
        "'x' is not a number or empty",
    ),
]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(("content", "message"), BAD_CSV)
def test_bad_csv(put, content, message, packed):
    """A bad cell, row or header is refused, naming file, row, line, column and what is accepted."""
    if packed and content == "":
        message = "no header line"  # 20 bytes of gzip, nothing inside
    path = put("trace.csv.gz" if packed else "trace.csv", content)
    with pytest.raises(InputError) as caught:
        read_workload(path)
    assert message in str(caught.value)
    assert path.name in str(caught.value)


ROW = {"arrival_s": 0, "input_tokens": 1, "output_tokens": 1}
BAD_JSONL = [
    (
        lines(ROW) + "\n" + lines(ROW | {"output_tokens": "abc"}),
        "row 2 (line 3), column output_tokens: 'abc' is not",
    ),
    (lines(ROW, ROW | {"output_tokens": None}), "row 2 (line 2), column output_tokens: the cell is empty"),
    (
        lines(ROW, {"arrival_s": 0, "input_tokens": 1}),
        "row 2 (line 2), column output_tokens: the cell is empty",
    ),
    (lines(ROW, ROW | {"input_tokens": True}), "column input_tokens: True is not"),
    (lines(ROW, ROW | {"input_tokens": [1]}), "column input_tokens: [1] is not"),
    (lines(ROW, ROW | {"input_tokens": float("nan")}), "column input_tokens: nan is not"),
    (lines(ROW, ROW | {"arrival_s": float("inf")}), "column arrival_s: inf is not"),
    (lines(ROW, ROW | {"input_tokens": 10**400}), "row 2 (line 2), column input_tokens"),
    (lines(ROW, ROW)[:-8], "line 2: not a JSON object"),
    (lines(ROW) + "[1, 2]\n", "line 2: '[1, 2]' is not a JSON object"),
    ("[" * 100_000 + "\n", "line 1: not a JSON object"),
    ("\n", "no JSON line"),
    (lines({"a": 1}), "columns found: 'a'"),
    (b"\xff\xff\n", "line 1: not a JSON object"),
]


@pytest.mark.parametrize("name", ["trace.jsonl", "trace.jsonl.gz"])
@pytest.mark.parametrize(("content", "message"), BAD_JSONL)
def test_bad_jsonl(put, content, message, name):
    """A cut line, a line that is no object or a bad value is refused, naming the line."""
    with pytest.raises(InputError) as caught:
        read_workload(put(name, content))
    assert message in str(caught.value)


def frame(**changes):
    columns = {"arrival_s": [0.0, 1.0], "input_tokens": [1, 2], "output_tokens": [1, 2]} | changes
    return pd.DataFrame({k: v for k, v in columns.items() if v is not None})


BAD_PARQUET = [
    (frame(input_tokens=[1, 0]), "trace.parquet row 2, column input_tokens: 0 is not a whole number >= 1"),
    (frame(input_tokens=[1.0, None]), "row 2, column input_tokens: nan is not"),
    (frame(input_tokens=["1", "x"]), "row 2, column input_tokens: 'x' is not"),
    (frame(input_tokens=[True, False]), "row 1, column input_tokens: True is not"),
    (frame(arrival_s=[0.0, np.inf]), "row 2, column arrival_s: inf is not"),
    (frame(output_tokens=None), "columns found: 'arrival_s', 'input_tokens'"),
    (frame().head(0), "no requests"),
    (frame(**{"class": ["a", None]}), "row 2, column class"),
    (
        pd.DataFrame({"TIMESTAMP": [5, 6], "ContextTokens": [1, 1], "GeneratedTokens": [1, 1]}),
        "row 1, column TIMESTAMP: 5 is not an ISO 8601 time",
    ),
]


@pytest.mark.parametrize(("content", "message"), BAD_PARQUET)
def test_bad_parquet(put, content, message):
    """A bad cell of a Parquet file is refused by row and column."""
    with pytest.raises(InputError) as caught:
        read_workload(put("trace.parquet", content))
    assert message in str(caught.value)


def test_truncated_files(put, tmp_path):
    """A file that was cut short is refused in every format, never read in part."""
    whole = put("whole.parquet", pd.concat([frame()] * 2000)).read_bytes()
    for size in (len(whole) // 2, len(whole) - 4, 3):
        with pytest.raises(InputError, match="not a complete Parquet file"):
            read_workload(put("cut.parquet", whole[:size]))
    for suffix, text in ((".csv.gz", OURS * 1), (".jsonl.gz", lines(*[ROW] * 50))):
        data = gzip.compress(text.encode())
        path = tmp_path / f"cut{suffix}"
        path.write_bytes(data[: len(data) - 9])
        with pytest.raises(InputError, match="truncated"):
            read_workload(path)
        path.write_bytes(data[:-12] + b"\x00\x01\x02\x03" + data[-8:])
        with pytest.raises(InputError, match="cut"):
            read_workload(path)
        path.write_bytes(text.encode())
        with pytest.raises(InputError, match="not valid gzip data"):
            read_workload(path)


def test_what_is_no_file(tmp_path, put):
    """A missing file, a folder and an unknown ending are refused with the next step."""
    with pytest.raises(InputError, match="no such file; check the path"):
        read_workload(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="is not a file"):
        read_workload(tmp_path / "folder.csv")
    with pytest.raises(InputError, match=r"must end in \.csv, \.csv\.gz, \.parquet"):
        read_workload(put("trace.pkl", b"\x80\x04."))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(put):
    """A file without read permission is refused with the next step."""
    path = put("t.csv", OURS)
    path.chmod(0)
    with pytest.raises(InputError, match="permissions"):
        read_workload(path)


def test_limits(put):
    """Files over the size limit, gzip bombs and too many rows are refused before they fill the memory."""
    with pytest.raises(InputError, match="more than the limit of 0 MiB"):
        read_workload(put("t.csv", OURS), limits=Limits(file_bytes=10))
    for name, content in (("t.csv.gz", OURS), ("t.jsonl.gz", lines(*[ROW] * 9))):
        with pytest.raises(InputError, match="unpacks to more than"):
            read_workload(put(name, content), limits=Limits(unpacked_bytes=20))
    for name, content in (("t.csv", OURS), ("t.jsonl", lines(ROW, ROW)), ("t.parquet", frame())):
        with pytest.raises(InputError, match="more than the limit of 1 rows"):
            read_workload(put(name, content), limits=Limits(rows=1))


def test_quoted_line_breaks_do_not_shift_the_line(put):
    """A quoted line break inside an ignored column counts as a line of the file."""
    text = 'arrival_s,input_tokens,output_tokens,note\n0,1,1,"two\nlines"\n1,0,1,x\n'
    with pytest.raises(InputError, match=r"row 2 \(line 4\), column input_tokens: 0"):
        read_workload(put("t.csv", text))


def test_ignored_columns_may_hold_anything(put):
    """Text in another encoding in a column that is not needed does not matter."""
    text = b"arrival_s,input_tokens,output_tokens,note\n0,1,1,caf\xe9\n1,1,1,x\n"
    assert len(read_workload(put("t.csv", text))) == 2
