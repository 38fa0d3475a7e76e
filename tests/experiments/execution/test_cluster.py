"""Real Dask schedulers and workers on loopback: the same table, whatever dies on the way."""

import os
import signal
import threading
import time
from dataclasses import dataclass

import pytest
from dask_cluster import dask_cluster
from drawing import Draw, Drawing
from drawn_runs import computations, exported, finish, start, wait_for_parts

from experiments.execution import cluster as module
from experiments.execution.attempt import OtherCodeError
from experiments.execution.backend import BackendError, InProcess
from experiments.execution.cluster import Cluster
from experiments.execution.opening import open_for
from experiments.execution.run import execute
from experiments.tasks import code_version
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
    settings = {"first_replications": 8, "backend": Cluster(cluster.address), "log": str(tmp_path / "log")}
    assert finish(tmp_path / "out", **settings) == [48, 48, 0]
    assert exported(tmp_path / "out") == whole
    assert finish(tmp_path / "out", **settings) == [48, 0, 0]
    assert set(computations(tmp_path / "log").values()) == {1}


def test_short_tasks_go_together(tmp_path, cluster):
    """Claim: hundreds of tasks need a few dozen requests of the scheduler, and the table is the serial one."""
    found = Cluster(cluster.address)
    with pytest.MonkeyPatch.context() as patch:
        import distributed

        submit, sizes = distributed.Client.submit, []
        patch.setattr(
            distributed.Client, "submit", lambda *words, **more: sizes.append(len(words[2])) or submit(*words, **more)
        )
        assert finish(tmp_path / "out", backend=found, first_replications=50) == [300, 300, 0]
    assert sum(sizes) >= 300
    assert len(sizes) < 150
    finish(tmp_path / "serial", first_replications=50)
    assert exported(tmp_path / "out") == exported(tmp_path / "serial")


def test_failures_on_a_cluster_are_recorded(tmp_path, cluster):
    """Claim: a task that raises on a worker has its traceback here, the others finish, a retry repeats only it."""
    spec = Drawing(3, needs=str(tmp_path / "key"), failing=(("a", 1),))
    folder = open_for(spec, tmp_path / "out")
    first = execute(spec, folder, backend=Cluster(cluster.address))
    assert (first.total, first.computed, len(first.failures)) == (18, 16, 2)
    assert "in compute" in first.failures[0].traceback
    (tmp_path / "key").touch()
    again = execute(spec, folder, backend=Cluster(cluster.address), retry_failed=True)
    assert (again.total, again.computed, again.failures) == (18, 2, ())


def test_a_worker_with_other_code_is_refused(tmp_path, cluster):
    """Claim: before any task runs, the worker is named with both versions; nothing is written."""
    attempts = Cluster(cluster.address).attempts(Drawing(1).tasks(), "f" * 24)
    with pytest.raises(OtherCodeError, match=r"worker tcp://.* version [0-9a-f]{24} .* version f{24}"):
        next(attempts)


def test_a_worker_that_dies_changes_nothing(tmp_path, cluster, whole):
    """Claim: one of three workers is killed in the middle: the run completes, with the serial table."""
    victim = cluster.add_worker()
    killed = threading.Thread(target=lambda: wait_for_parts(tmp_path / "out", 9) and victim.send_signal(signal.SIGKILL))
    killed.start()
    settings = {"first_replications": 8, "wait_s": 0.1, "log": str(tmp_path / "log")}
    assert finish(tmp_path / "out", backend=Cluster(cluster.address), **settings) == [48, 48, 0]
    killed.join()
    assert victim.wait() == -signal.SIGKILL
    assert exported(tmp_path / "out") == whole


@dataclass(frozen=True)
class Deadly(Draw):
    """A task that ends its worker's process, unless it is one of the first."""

    def compute(self):
        if self.replication == 250:
            os._exit(1)
        return super().compute()


@dataclass(frozen=True)
class Deadlies(Drawing):
    """All at one place under one policy, so that they go together."""

    def tasks(self, replications=None):
        return [
            Deadly(**{name: getattr(task, name) for name in Draw.__dataclass_fields__})
            for task in super().tasks(replications)
            if (task.policy, task.at) == ("a", 0.5)
        ]


@pytest.mark.slow
def test_a_task_that_kills_its_workers_fails_alone(tmp_path):
    """Claim: those that were handed out with it finish; it is recorded with what Dask says of it."""
    with dask_cluster(tmp_path, workers=3, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as cluster:
        spec = Deadlies(300)
        found = execute(spec, open_for(spec, tmp_path / "out"), backend=Cluster(cluster.address))
        assert (found.total, found.computed) == (300, 299)
        (failure,) = found.failures
        assert failure.what == "a at 0.5, replication 250"
        assert "KilledWorker" in failure.error
        assert [worker.poll() for worker in cluster.workers].count(None) == 1


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
    assert finish(tmp_path / "out", first_replications=8, log=str(log)) == [48, 48 - len(kept), 0]
    assert all(computations(log)[task] == before[task] for task in kept)
    assert exported(tmp_path / "out") == whole


def test_a_cluster_without_workers_waits_for_one(tmp_path, whole):
    """Claim: workers may come later; the run begins when one is there."""
    with dask_cluster(tmp_path, workers=0) as cluster:
        worker = threading.Timer(0.5, cluster.add_worker)
        worker.start()
        assert finish(tmp_path / "out", backend=Cluster(cluster.address), first_replications=8) == [48, 48, 0]
        worker.join()
    assert exported(tmp_path / "out") == whole


def test_nobody_at_the_address_is_said(monkeypatch):
    """Claim: no scheduler there: one clear line, soon after the time that is allowed for it."""
    monkeypatch.setattr(module, "CONNECT_S", 1)
    began = time.monotonic()
    with pytest.raises(BackendError, match=r"^no Dask scheduler answers at tcp://127\.0\.0\.1:9$"):
        next(Cluster("tcp://127.0.0.1:9").attempts(Drawing(1).tasks(), code_version()))
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("address", ["", "here", "tcp://", "tcp://host", "http://host:80", "tcp://:80", "tcp://host:x"])
def test_what_is_no_address_is_refused(address):
    """Claim: the address is checked before anything else."""
    with pytest.raises(InputError, match="tcp://host:port"):
        Cluster(address)
