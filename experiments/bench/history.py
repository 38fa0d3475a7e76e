"""Previous runs of a benchmark, kept in the user's state folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from orsched.atomic import write_text

KEPT = 100


@dataclass(frozen=True, slots=True)
class History:
    """Runs in a file, one JSON object per line, oldest first.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    """

    path: Path

    @classmethod
    def of_user(cls, name: str) -> History:
        """The history `name` in ``$XDG_STATE_HOME/orsched``, by default ``~/.local/state/orsched``."""
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return cls(Path(state) / "orsched" / f"{name}.jsonl")

    def runs(self) -> list[dict[str, Any]]:
        """All runs; lines that are no JSON object are passed over, as the file is only a convenience."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        found = []
        for line in lines:
            try:
                run = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(run, dict):
                found.append(run)
        return found

    def last(self, requests: int) -> dict[str, Any] | None:
        """The latest run with as many requests, or None."""
        same = [run for run in self.runs() if run.get("requests") == requests]
        return same[-1] if same else None

    def append(self, run: dict[str, Any]) -> None:
        """Add a run, keeping the last `KEPT`."""
        runs = [*self.runs(), run][-KEPT:]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, "".join(json.dumps(r, allow_nan=False) + "\n" for r in runs))


class Recorded(NamedTuple):
    """A run and the latest one before it of the same size, or None; and why it was not kept, or nothing."""

    found: dict[str, Any]
    previous: dict[str, Any] | None
    note: str


def recorded(name: str, requests: int, record: bool, measure: Callable[[], dict[str, Any]]) -> Recorded:
    """Measure, and keep the run in the user's history `name` if `record`; a history that cannot be kept is no error."""
    history = History.of_user(name)
    previous = history.last(requests)
    found = measure()
    note = ""
    if record:
        try:
            history.append(found)
        except OSError as error:
            note = f"not recorded: {error}"
    return Recorded(found, previous, note)
