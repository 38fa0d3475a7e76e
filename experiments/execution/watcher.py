"""Who is told how a run goes."""

from __future__ import annotations

from typing import Protocol

from experiments.results.failures import Failure


class Watcher(Protocol):
    """Is told how a run goes, in the runner's process."""

    def planned(self, total: int, finished: int) -> None:
        """Hear that so many of `total` tasks are finished already; again with every round of replications."""
        ...

    def finished(self, count: int) -> None:
        """Hear that `count` more tasks are finished."""
        ...

    def failed(self, failure: Failure) -> None:
        """Hear that a task failed."""
        ...

    def said(self, message: str) -> None:
        """Hear something worth a line."""
        ...


class Nobody:
    """Watches nothing."""

    def planned(self, total: int, finished: int) -> None:
        """Ignore it."""

    def finished(self, count: int) -> None:
        """Ignore it."""

    def failed(self, failure: Failure) -> None:
        """Ignore it."""

    def said(self, message: str) -> None:
        """Ignore it."""
