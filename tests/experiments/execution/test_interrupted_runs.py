"""Runs that are killed, or whose disk is full: nothing finished is lost, nothing finished is computed again."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from drawing import Drawing
from drawn_runs import computations, environment, exported, finish, ran, start, wait_for_parts

from experiments.execution.backend import InProcess
from experiments.execution.opening import open_for
from experiments.execution.run import execute

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The table of a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "out"
    execute(Drawing(8), open_for(Drawing(8), out), backend=InProcess())
    return exported(out)


@pytest.mark.parametrize(("workers", "signals"), [(1, 2), (2, 1)])
def test_a_killed_process_group_loses_nothing_finished(tmp_path, whole, workers, signals):
    """Claim: after SIGKILL of runner and workers, what had a part is not computed again, and the table is whole."""
    log, out = tmp_path / "log", tmp_path / "out"
    settings = {"first_replications": 8, "wait_s": 0.03, "log": str(log), "workers": workers}
    kept = set()
    for killed in range(signals):
        process = start(out, **settings)
        wait_for_parts(out, len(kept) + 5 if killed == 0 else 3)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        folder = open_for(Drawing(8), out)
        finished = folder.finished()
        assert kept <= finished
        kept = finished
    before = computations(log)
    assert finish(out, first_replications=8, log=str(log)) == [48, 48 - len(kept), 0]
    assert all(computations(log)[task] == before[task] for task in kept)
    assert exported(out) == whole


def test_two_runner_processes_end_with_the_same_bytes(tmp_path, whole):
    """Claim: two processes on one folder both end well; the table is that of one."""
    settings = {"first_replications": 8, "wait_s": 0.02}
    runners = [start(tmp_path / "out", **settings) for _ in range(2)]
    assert [ran(runner)[0] for runner in runners] == [48, 48]
    assert exported(tmp_path / "out") == whole


def test_a_killed_worker_process_is_said_and_the_run_goes_on_when_started_again(tmp_path, whole):
    """Claim: a worker process that the system kills ends the run with one clear error; nothing finished is lost."""
    settings = {"first_replications": 8, "wait_s": 0.05, "workers": 2}
    process = start(tmp_path / "out", **settings)
    wait_for_parts(tmp_path / "out", 4)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    victim = next(int(child) for child in children if b"LokyProcess" in Path(f"/proc/{child}/cmdline").read_bytes())
    os.kill(victim, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "BackendError: a worker process died" in err
    finished = len(open_for(Drawing(8), tmp_path / "out").finished())
    assert 4 <= finished < 48
    assert finish(tmp_path / "out", first_replications=8) == [48, 48 - finished, 0]
    assert exported(tmp_path / "out") == whole


def test_a_full_disk_stops_the_run_with_the_file_named_and_loses_nothing(tmp_path, whole):
    """Claim: on a file system that fills up, finished parts stay sound, and with space the run goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        with pytest.raises(OSError, match=r"No space left on device: .*\.parquet'$"):
            finish(disk / "out", first_replications=8)
        folder = open_for(Drawing(8), disk / "out")
        assert folder.rows().damaged == ()
        finished = folder.finished()
        assert 3 <= len(finished) < 48
        assert not list((disk / "out" / "parts").glob(".*"))
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        assert finish(disk / "out", first_replications=8) == [48, 48 - len(finished), 0]
        assert exported(disk / "out") == whole
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_files_that_may_not_grow_stop_the_run_and_lose_nothing(tmp_path, whole):
    """Claim: where a write fails half way (here: a limit on file sizes), no half part is left, the run can go on."""
    program = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    limited = subprocess.run(
        [sys.executable, "-c", program, SUPPORT / "drawing.py", tmp_path / "out", '{"first_replications": 8}'],
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert limited.returncode == 1
    assert "File too large" in limited.stderr.splitlines()[-1]
    assert open_for(Drawing(8), tmp_path / "out").rows().damaged == ()
    assert not list((tmp_path / "out" / "parts").glob(".*"))
    assert finish(tmp_path / "out", first_replications=8)[0] == 48
    assert exported(tmp_path / "out") == whole
