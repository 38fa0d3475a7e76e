"""Who computes tasks on this machine."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from experiments.execution.attempt import Attempt, Task, attempt
from orsched.errors import OrschedError


class BackendError(OrschedError):
    """Those who compute are gone: a worker process died, or the cluster cannot be reached."""


class Backend(Protocol):
    """Computes tasks, in any order; it never writes results."""

    def attempts(self, tasks: Iterable[Task], code: str) -> Generator[Attempt, None, None]:
        """Attempt every task, yielding each as soon as it is known.

        Parameters
        ----------
        tasks : iterable of Task
            Read as work is handed out, so that it may leave out what has been finished elsewhere meanwhile.
        code : str
            The version of the code that has to compute.

        Raises
        ------
        BackendError
            When work cannot go on.
        OtherCodeError
            When a worker has another version of the code.
        """
        ...


@dataclass(frozen=True, slots=True)
class InProcess:
    """One task after the other, in this process."""

    def attempts(self, tasks: Iterable[Task], code: str) -> Generator[Attempt, None, None]:
        """Attempt every task in order."""
        for task in tasks:
            yield attempt(task, code)


@dataclass(frozen=True, slots=True)
class Processes:
    """Worker processes on this machine (joblib); short tasks are handed out in batches.

    Parameters
    ----------
    workers : int
        Processes, at least 1.
    """

    workers: int

    def attempts(self, tasks: Iterable[Task], code: str) -> Generator[Attempt, None, None]:
        """Attempt every task."""
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import BrokenProcessPool

        _keep_quiet_when_stopped()
        parallel = Parallel(n_jobs=self.workers, return_as="generator_unordered", pre_dispatch="4*n_jobs")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="joblib")  # on leaving early, which an interruption does
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs")  # as memory is freed
            try:
                yield from parallel(delayed(attempt)(task, code) for task in tasks)
            except BrokenProcessPool:
                raise BackendError(
                    "a worker process died (killed, or out of memory: try fewer --workers); what was finished is kept"
                ) from None


@cache
def _keep_quiet_when_stopped() -> None:
    """Leave out what joblib's own thread and its resource tracker say when the pool is stopped amid its work.

    They do so after we have left, so this stays for the rest of the process.
    """
    hook, ours = threading.excepthook, "ignore:resource_tracker:UserWarning"
    threading.excepthook = lambda said: (
        None if said.thread is not None and said.thread.name == "ExecutorManagerThread" else hook(said)
    )
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), ours)))


def on_this_machine(workers: int | None, tasks: int) -> Backend:
    """Who computes `tasks` tasks with so many workers; None: the usable cores, one process for a single task."""
    from joblib import cpu_count

    wanted = min(workers or int(cpu_count()), max(1, tasks))
    return InProcess() if wanted == 1 else Processes(wanted)
