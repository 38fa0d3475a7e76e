"""One attempt at a task, on whatever machine: its part of the results, or the traceback."""

from __future__ import annotations

import traceback
from typing import Any, NamedTuple, Protocol

from experiments.results.place import Place
from orsched.errors import OrschedError


class Task(Protocol):
    """One unit of work: plain values, picklable, pure."""

    @property
    def id(self) -> str:
        """Name of the task and of its row: a hash of the code version and of everything that decides the numbers."""
        ...

    @property
    def place(self) -> Place | None:
        """Where it stands in its experiment; always given in the tasks of one."""
        ...

    def describe(self) -> str:
        """One line for people."""
        ...

    def compute(self) -> dict[str, Any]:
        """The row of `experiments.results.schema`."""
        ...


class Attempt(NamedTuple):
    """What became of a task: the bytes of its part, or None, what was raised in one line, and the traceback."""

    task: str
    part: bytes | None
    error: str = ""
    traceback: str = ""


class OtherCodeError(OrschedError):
    """A worker has another version of the code than the one who asks it."""


def attempt(task: Task, code: str) -> Attempt:
    """Compute `task`; whatever it raises is the result.

    Raises
    ------
    OtherCodeError
        When this process has another version of the code than `code`.
    """
    from experiments.results.parts import encode

    require_code(code)
    name = task.id
    try:
        row = task.compute()
        if row["task"] != name:
            raise ValueError(f"the row is of task {row['task']}, not of {name}")
        return Attempt(name, encode(row))
    except (Exception, SystemExit) as error:  # a policy that asks Python to exit ends its task, not the run
        return failed(name, error)


def failed(task: str, error: BaseException) -> Attempt:
    """Say that `task` raised `error`: its type and the first line of its message, and all of it."""
    lines = "".join(traceback.format_exception_only(error)).splitlines()
    first = next((line for line in lines if line and not line[0].isspace()), type(error).__name__)
    return Attempt(task, None, first, "".join(traceback.format_exception(error)))


def require_code(code: str) -> None:
    """Raise `OtherCodeError` unless this process computes with version `code`."""
    from experiments.tasks.code_version import code_version

    ours = code_version()
    if ours != code:
        raise OtherCodeError(
            f"a worker has version {ours} of the code, the runner version {code}: install the same orsched on all "
            "machines, and start the workers again"
        )
