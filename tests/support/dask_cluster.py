"""A real Dask scheduler with real workers, each a process on loopback."""

import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

from drawn_runs import environment

DEADLINE_S = 60


class DaskCluster:
    """`address`, and the processes `scheduler` and `workers`."""

    def __init__(self, folder, workers, more):
        self._folder, self._environment, self.workers = folder, more, []
        self.scheduler = self._start(
            "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"
        )
        self.address = self._said(self._log("dask_scheduler", 0), rb"Scheduler at:\s+(tcp://\S+)").decode()
        for _ in range(workers):
            self.add_worker()

    def add_worker(self, **more):
        number = len(self.workers)
        process = self._start(
            "dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--local-directory", str(self._folder), number=number, **more,
        )  # fmt: skip
        self.workers.append(process)
        self._said(self._log("dask_worker", number), rb"(Registered to)")
        return process

    def stop(self):
        for process in (*self.workers, self.scheduler):
            process.send_signal(signal.SIGKILL)
            process.wait()

    def _log(self, program, number):
        return self._folder / f"{program}-{number}.log"

    def _start(self, program, *arguments, number=0, **more):
        with self._log(program, number).open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{program}", *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=environment(**self._environment, **more),
            )

    @staticmethod
    def _said(log, pattern):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            found = re.search(pattern, log.read_bytes())
            if found:
                return found[1]
            time.sleep(0.05)
        raise TimeoutError(log.read_text())


@contextmanager
def dask_cluster(folder, workers, **more):
    cluster = DaskCluster(folder, workers, more)
    try:
        yield cluster
    finally:
        cluster.stop()
