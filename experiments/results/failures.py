"""Failed tasks: what raised, where, how often; kept until a retry succeeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from experiments.results.parts import TASK, named
from orsched.atomic import write_text

MOST_BYTES = 2**20
MOST_TRACEBACK = 100_000
"""Characters of a traceback that are kept, the last ones."""

ENDING = ".json"


class Failure(BaseModel):
    """One task that raised.

    Parameters
    ----------
    task : str
        Its id.
    what : str
        The task in one line.
    error : str
        The last line: what was raised.
    traceback : str
        All of it, as Python prints it.
    when : str
        UTC, ISO 8601.
    attempts : int
        How often it failed by now.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    task: Annotated[str, StringConstraints(pattern=rf"^{TASK.pattern}$")]
    what: str
    error: str
    traceback: str
    when: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures of a results folder.

    Parameters
    ----------
    folder : Path
        ``DIR/failures``.
    """

    folder: Path

    def names(self) -> set[str]:
        """Ids of the failed tasks, by the names of the files alone."""
        return named(self.folder, ENDING)

    def read(self, task: str) -> Failure | None:
        """The failure of a task; None where there is none, or its file is damaged."""
        try:
            with self._path(task).open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            found = Failure.model_validate_json(data[:MOST_BYTES])
        except (FileNotFoundError, ValidationError):
            return None
        return found if found.task == task else None

    def write(self, task: str, what: str, traceback: str) -> Failure:
        """Record that a task raised, and how often it has by now."""
        before = self.read(task)
        failure = Failure(
            task=task,
            what=what,
            error=traceback.strip().splitlines()[-1],
            traceback=traceback[-MOST_TRACEBACK:],
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            attempts=1 + (before.attempts if before else 0),
        )
        write_text(self._path(task), json.dumps(failure.model_dump(), indent=2) + "\n")
        return failure

    def remove(self, task: str) -> None:
        """Forget a failure, if there is one."""
        self._path(task).unlink(missing_ok=True)

    def _path(self, task: str) -> Path:
        return self.folder / f"{task}{ENDING}"
