"""Real Dask schedulers and workers on loopback: the same table, whatever dies on the way."""

import signal
import threading
import time

import pytest
from dask_cluster import dask_cluster
from drawing import Drawing
from drawn_runs import computations, exported, ran, start, wait_for_parts

from experiments.execution.backend import InProcess
from experiments.execution.cluster import Cluster
from experiments.execution.opening import open_for
from experiments.execution.run import execute
from orsched.errors import InputError


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("dask"), workers=2) as found:
        yield found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    execute(Drawing(8), open_for(Drawing(8), out), backend=InProcess())
    return exported(out)


def test_a_cluster_gives_the_serial_table(tmp_path, cluster, whole):
    """Claim: bytes of the table are those of one process; workers wrote nothing; a second run computes nothing."""
    settings = {"first_replications": 8, "cluster": cluster.address, "log": str(tmp_path / "log")}
    assert ran(start(tmp_path / "out", **settings)) == [48, 48, 0]
    assert exported(tmp_path / "out") == whole
    assert ran(start(tmp_path / "out", **settings)) == [48, 0, 0]
    assert set(computations(tmp_path / "log").values()) == {1}


def test_failures_on_a_cluster_are_recorded(tmp_path, cluster):
    """Claim: a task that raises on a worker has its traceback here, the others finish, a retry repeats only it."""
    settings = {"first_replications": 3, "needs": str(tmp_path / "key"), "failing": [["a", 1]]}
    assert ran(start(tmp_path / "out", cluster=cluster.address, **settings)) == [18, 16, 2]
    failure, _ = open_for(Drawing(3), tmp_path / "out").failures()
    assert "in compute" in failure.traceback
    (tmp_path / "key").touch()
    assert ran(start(tmp_path / "out", cluster=cluster.address, retry=True, **settings)) == [18, 2, 0]


def test_a_worker_with_other_code_is_refused(tmp_path, cluster):
    """Claim: before any task runs, the worker is named with both versions; nothing is written."""
    attempts = Cluster(cluster.address).attempts(Drawing(1).tasks(), "f" * 24)
    with pytest.raises(Exception, match=r"worker tcp://.* version [0-9a-f]{24} .* version f{24}") as caught:
        next(attempts)
    assert type(caught.value).__name__ == "OtherCodeError"


def test_a_worker_that_dies_changes_nothing(tmp_path, whole):
    """Claim: one of two workers is killed in the middle: the run completes, with the serial table."""
    with dask_cluster(tmp_path, workers=2) as cluster:
        process = start(tmp_path / "out", first_replications=8, wait_s=0.1, cluster=cluster.address)
        wait_for_parts(tmp_path / "out", 6)
        cluster.workers[0].send_signal(signal.SIGKILL)
        assert ran(process) == [48, 48, 0]
    assert exported(tmp_path / "out") == whole


def test_a_lost_scheduler_keeps_what_was_finished(tmp_path, whole):
    """Claim: one clear error, no noise of Dask's; the run goes on elsewhere without computing anything again."""
    log = tmp_path / "log"
    with dask_cluster(tmp_path, workers=1) as cluster:
        process = start(tmp_path / "out", first_replications=8, wait_s=0.1, cluster=cluster.address, log=str(log))
        wait_for_parts(tmp_path / "out", 6)
        cluster.scheduler.send_signal(signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the connection to the Dask scheduler" in err.splitlines()[-1]
    assert "distributed" not in err.replace("site-packages/distributed", "").replace('"distributed"', "")
    kept = open_for(Drawing(8), tmp_path / "out").finished()
    assert 6 <= len(kept) < 48
    before = computations(log)
    assert ran(start(tmp_path / "out", first_replications=8, log=str(log)))[1] == 48 - len(kept)
    assert all(computations(log)[task] == before[task] for task in kept)
    assert exported(tmp_path / "out") == whole


def test_a_cluster_without_workers_waits_for_one(tmp_path, whole):
    """Claim: workers may come later; the run begins when one is there."""
    with dask_cluster(tmp_path, workers=0) as cluster:
        process = start(tmp_path / "out", first_replications=8, cluster=cluster.address)
        worker = threading.Timer(1.0, cluster.add_worker)
        worker.start()
        assert ran(process) == [48, 48, 0]
        worker.join()
    assert exported(tmp_path / "out") == whole


def test_nobody_at_the_address_is_said(tmp_path):
    """Claim: no scheduler there: one clear line within seconds."""
    began = time.monotonic()
    process = start(tmp_path / "out", cluster="tcp://127.0.0.1:9")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in err.splitlines()[-1]
    assert time.monotonic() - began < 40


@pytest.mark.parametrize("address", ["", "here", "tcp://", "tcp://host", "http://host:80", "tcp://:80", "tcp://host:x"])
def test_what_is_no_address_is_refused(address):
    """Claim: the address is checked before anything else."""
    with pytest.raises(InputError, match="tcp://host:port"):
        Cluster(address)
