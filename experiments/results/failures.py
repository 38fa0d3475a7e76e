"""Failed tasks: what raised, where, how often; kept until a retry succeeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from experiments.results.parts import TASK, named
from experiments.results.sealed import DamagedError
from orsched.atomic import write_text
from orsched.checks import has_control

MOST_BYTES = 2**20
MOST_LINE = 2_000
"""Characters of a line that are kept, the first ones."""

MOST_TRACEBACK = 100_000
"""Characters of a traceback that are kept, the last ones."""

UNREADABLE = "the record of this failure is damaged; running the experiment again tries the task again"

ENDING = ".json"


def visible(text: str) -> str:
    """`text` with escapes in place of control characters and changes of direction, but line breaks and tabs kept.

    What a policy raises is shown in terminals, which such characters would command.
    """
    escapes = {ord(one): ascii(one)[1:-1] for one in set(text) - {"\n", "\t"} if has_control(one)}
    return text.translate(escapes)


Visible = Annotated[str, AfterValidator(visible)]


class Failure(BaseModel):
    """One task that raised; control characters in its texts are shown as escapes (`visible`).

    Parameters
    ----------
    task : str
        Its id.
    what : str
        The task in one line.
    error : str
        One line: the type of what was raised, and the first line of its message.
    traceback : str
        As Python prints it; of very long ones the end, and of each line the beginning.
    when : str
        UTC, ISO 8601.
    attempts : int
        How often it failed by now.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    task: Annotated[str, StringConstraints(pattern=rf"^{TASK.pattern}$")]
    what: Visible
    error: Visible
    traceback: Visible
    when: Visible
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
        """The failure of a task; None where there is none.

        Raises
        ------
        DamagedError
            When its file is not as it was written.
        """
        path = self.path(task)
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            found = Failure.model_validate_json(data[:MOST_BYTES])
        except FileNotFoundError:
            return None
        except ValidationError:
            raise DamagedError(f"{path}: damaged (not the record of a failure)") from None
        if found.task != task:
            raise DamagedError(f"{path}: is of another task than its name says")
        return found

    def all(self) -> list[Failure]:
        """Every failure, by id; one whose file is damaged says so as its error."""
        found = []
        for task in sorted(self.names()):
            try:
                failure = self.read(task)
            except DamagedError:
                failure = Failure(task=task, what="unknown", error=UNREADABLE, traceback="", when="unknown", attempts=1)
            if failure is not None:
                found.append(failure)
        return found

    def write(self, task: str, what: str, error: str, traceback: str) -> Failure:
        """Record that a task raised, and how often it has by now."""
        try:
            before = self.read(task)
        except DamagedError:
            before = None
        failure = Failure(
            task=task,
            what=cut(visible(what)),
            error=cut(visible(error)),
            traceback="".join(map(_cut_line, visible(traceback).splitlines(keepends=True)))[-MOST_TRACEBACK:],
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            attempts=1 + (before.attempts if before else 0),
        )
        text = json.dumps(failure.model_dump(), indent=2, ensure_ascii=False)
        write_text(self.path(task), text.encode(errors="replace").decode() + "\n")
        return failure

    def remove(self, task: str) -> None:
        """Forget a failure, if there is one."""
        self.path(task).unlink(missing_ok=True)

    def path(self, task: str) -> Path:
        """Where the record of a task is."""
        return self.folder / f"{task}{ENDING}"


def cut(text: str, most: int = MOST_LINE) -> str:
    """At most `most` characters of `text`, in one line."""
    line = " ".join(text[: 2 * most].split())
    return line if len(line) <= most else line[: most - 3] + "..."


def _cut_line(line: str) -> str:
    return line if len(line) <= MOST_LINE else line[: MOST_LINE - 4] + "...\n"
