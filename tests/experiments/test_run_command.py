"""``orsched run`` and ``orsched results`` as a user meets them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from drawing import Drawing
from drawn_runs import wait_for_parts

from experiments.execution.backend import InProcess
from experiments.execution.opening import open_for
from experiments.execution.run import execute

ORSCHED = Path(sys.executable).with_name("orsched")
SPEC = """
workloads = ["azure-conv"]
fleets = ["llama2-7b/a100-80g"]
policies = ["vllm-v1", "sjf"]
loads = [0.5]
requests = {requests}
replications = {replications}
bounds = "fast"
"""


def orsched(*words, folder):
    return subprocess.run([ORSCHED, *words], cwd=folder, capture_output=True, text=True, timeout=120)


def spec(folder, requests=60, replications=2):
    (folder / "spec.toml").write_text(SPEC.format(requests=requests, replications=replications))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A results folder with two failures, and one of six tasks more missing than failed."""
    place = tmp_path_factory.mktemp("drawn")
    some = Drawing(3, failing=(("a", 1),), needs=str(place / "key"))
    execute(some, open_for(some, place / "out"), backend=InProcess())
    return place


def test_an_interrupted_run_says_how_to_go_on_and_goes_on(tmp_path):
    """Claim: SIGINT gives exit 130 and one line with the command; that command computes only what is missing."""
    spec(tmp_path, requests=2_000, replications=12)
    words = ["run", "spec.toml", "--out", "out dir", "--workers", "2", "--retry-failed"]
    process = subprocess.Popen(
        [ORSCHED, *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for_parts(tmp_path / "out dir", 2)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.count("\n") == 1, err
    assert err.startswith("interrupted: ")
    assert err.rstrip().endswith(
        "of 36 tasks are finished and kept; "
        "go on with: orsched run spec.toml --out 'out dir' --workers 2 --retry-failed"
    )
    kept = len(list((tmp_path / "out dir" / "parts").glob("*.parquet")))
    assert 2 <= kept < 36
    done = orsched(*words, "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["tasks"], document["finished"], document["computed"]) == (36, 36, 36 - kept)


def test_run_then_read(tmp_path):
    """Claim: run, list, export, table and compact work on one folder; exports of one and two workers agree."""
    spec(tmp_path)
    for workers in ("1", "2"):
        done = orsched("run", "spec.toml", "--out", f"out{workers}", "--workers", workers, folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"6 of 6 tasks finished in out{workers}, 6 of them now\n"
        assert orsched("results", "export", f"out{workers}", "--csv", f"{workers}.csv", folder=tmp_path).returncode == 0
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert "6 of 6 places finished" in orsched("results", "list", "out1", folder=tmp_path).stdout
    assert "6 finished tasks in 1 segments" in orsched("results", "compact", "out1", folder=tmp_path).stdout
    table = orsched("results", "table", "out1", "--output", "t.md", folder=tmp_path)
    assert "vllm-v1" in table.stdout
    assert "vllm-v1" in (tmp_path / "t.md").read_text()
    other = orsched("run", "demo", "--out", "out1", folder=tmp_path)
    assert (other.returncode, other.stdout) == (2, "")
    assert "error: folder out1: holds another experiment" in other.stderr


def test_a_precision_replicates_until_it_is_reached(tmp_path):
    """Claim: --precision runs rounds; out of reach it exits with 1 and says so."""
    (tmp_path / "spec.toml").write_text(SPEC.format(requests=40, replications=2).replace("replications = 2", ""))
    done = orsched("run", "spec.toml", "--out", "out", "--precision", "0.5", "--workers", "1", folder=tmp_path)
    assert done.returncode == 0
    assert "as precise as asked after" in done.stdout
    (tmp_path / "spec.toml").write_text(
        f"{(tmp_path / 'spec.toml').read_text()}[precision]\nrelative=0.5\nleast=10\nmost=10\n"
    )
    done = orsched("run", "spec.toml", "--out", "more", "--precision", "0.0001", "--workers", "1", folder=tmp_path)
    assert done.returncode == 1
    assert "not as precise as asked after 10 replications" in done.stdout


def test_what_cannot_be_run_names_the_specification(tmp_path):
    """Claim: an error that shows when tasks are made begins with the file of the specification."""
    (tmp_path / "spec.toml").write_text(SPEC.format(requests=40, replications=2).replace("azure-conv", "trace.csv"))
    (tmp_path / "trace.csv").write_text("nonsense\n1\n")
    done = orsched("run", "spec.toml", "--out", "out", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: spec.toml: ")
    assert done.stderr.count("spec.toml") == 1


def test_failures_are_shown_with_their_tracebacks(drawn):
    """Claim: results failures has each traceback; list counts them; table and export say what is missing."""
    shown = orsched("results", "failures", "out", folder=drawn)
    assert shown.returncode == 0
    assert shown.stdout.count("Traceback (most recent call last)") == 2
    assert "2 failed" in shown.stdout
    listed = json.loads(orsched("results", "list", "out", "--json", folder=drawn).stdout)
    assert [(g["policy"], g["finished"], g["failed"], g["missing"]) for g in listed["groups"]] == [
        ("(bounds)", 6, 0, 0),
        ("a", 4, 2, 0),
        ("bb", 6, 0, 0),
    ]
    exported = orsched("results", "export", "out", "--csv", "t.parquet", folder=drawn)
    assert "note: 2 tasks are not finished" in exported.stderr


def test_queries_answer_and_refuse(drawn):
    """Claim: one SELECT over the three views as table, JSON or file; a file of the system is out of reach."""
    sql = "SELECT policy, count(DISTINCT task) AS tasks FROM results GROUP BY policy ORDER BY policy"
    assert json.loads(orsched("results", "query", "out", sql, "--json", folder=drawn).stdout) == {
        "rows": [{"policy": "a", "tasks": 4}, {"policy": "bb", "tasks": 6}]
    }
    assert orsched("results", "query", "out", sql, "--csv", "q.csv", folder=drawn).returncode == 0
    assert (drawn / "q.csv").read_text() == "policy,tasks\na,4\nbb,6\n"
    refused = orsched("results", "query", "out", "SELECT * FROM read_text('/etc/passwd')", folder=drawn)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: query: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "demmo", "--out", "x"], "did you mean 'demo'"),
        (["run", "none.toml", "--out", "x"], "none.toml"),
        (["run", "demo", "--out", "key.txt"], "key.txt"),
        (["run", "demo", "--out", "x", "--precision", "0"], "precision.relative"),
        (["run", "demo", "--out", "x", "--cluster", "here"], "tcp://host:port"),
        (["run", "demo", "--out", "x", "--cluster", "tcp://a:1", "--workers", "2"], "not both"),
        (["results", "list", "nowhere"], "there is none"),
        (["results", "list", "."], "not a folder of results"),
        (["results", "export", "out", "--csv", "t.xlsx"], ".csv, .parquet"),
        (["results", "table", "out", "--metric", "latency"], "did you mean 'latency_p99_s'"),
        (["results", "query", "out", "DELETE FROM results"], "one SELECT"),
    ],
)
def test_bad_input_is_one_line(drawn, words, message):
    """Claim: exit 2, one line on standard error, nothing on standard output, nothing written."""
    (drawn / "key.txt").write_text("mine")
    before = sorted(path.name for path in drawn.iterdir())
    done = orsched(*words, folder=drawn)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert sorted(path.name for path in drawn.iterdir()) == before
