"""Several runners on one folder share the work without talking: the first goes forwards, the others backwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from experiments.execution.attempt import Task
from experiments.results.folder import ResultsFolder


@contextmanager
def in_turn(folder: ResultsFolder, missing: Mapping[str, Task]) -> Iterator[Iterator[Task]]:
    """Give the tasks of `missing` in this runner's order, leaving out what has a part by the time it is handed out.

    Nothing depends on it but time: results are named by their tasks, so that what two runners compute is the same file.
    """
    from filelock import Timeout

    lock = folder.lock(".runner")
    try:
        lock.acquire(blocking=False)
        names = list(missing)
    except Timeout:
        names = list(missing)[::-1]
    try:
        yield (missing[name] for name in names if not folder.parts.path(name).is_file())
    finally:
        lock.release()
