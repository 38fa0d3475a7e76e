"""A run in the terminal: how far, how long still, and a line for each failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from experiments.results.failures import Failure, cut

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

MOST = 200
"""Characters of a task's name, and of its error, in the line about it."""


@dataclass(slots=True)
class Shown:
    """Tells a terminal how a run goes.

    Parameters
    ----------
    progress : Progress
        The bar.
    bar : TaskID
        Its line.
    done, total : int
        Finished tasks, and all of them, as last heard.
    """

    progress: Progress
    bar: TaskID
    done: int = field(default=0)
    total: int = field(default=0)

    def planned(self, total: int, finished: int) -> None:
        """Show what there is to do."""
        self.done, self.total = finished, total
        self.progress.update(self.bar, total=total, completed=finished)

    def finished(self, count: int) -> None:
        """Move on."""
        self.done += count
        self.progress.advance(self.bar, count)

    def failed(self, failure: Failure) -> None:
        """Say which task failed; the table at the end says why."""
        self.progress.console.out(f"failed: {cut(failure.what, MOST)}: {cut(failure.error, MOST)}", highlight=False)

    def said(self, message: str) -> None:
        """Say it above the bar."""
        self.progress.console.out(f"note: {message}", highlight=False)


@contextmanager
def shown_on(console: Console) -> Iterator[Shown]:
    """Show a run on `console`; a bar only where it is a terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Shown(progress, progress.add_task("tasks", total=None))
