"""What does not belong into a results folder: half-written files of killed processes, and what is no plain file."""

from __future__ import annotations

import os
from pathlib import Path

from experiments.results.parts import TASK


def remove_leftovers(folder: Path, older_than: float) -> None:
    """Remove the half-written files directly in `folder` last written before `older_than` (seconds since the epoch)."""
    with os.scandir(folder) as entries:
        named = [entry for entry in entries if entry.name.startswith(".") and entry.name.endswith(".part")]
        old = [entry.path for entry in named if entry.is_file(follow_symlinks=False)]
    for path in old:
        try:
            if os.stat(path).st_mtime < older_than:
                os.unlink(path)
        except FileNotFoundError:
            continue


def no_plain_files(folder: Path, ending: str) -> list[Path]:
    """What is named like a file of a task but is a folder, a pipe, a device or a link to nothing."""
    with os.scandir(folder) as entries:
        named = [entry for entry in entries if entry.name.endswith(ending) and not entry.is_file()]
    return sorted(Path(entry.path) for entry in named if TASK.fullmatch(entry.name[: -len(ending)]))
