"""What the run loop needs to know of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from experiments.execution.attempt import Task


class Precision(Protocol):
    """Replicate until every interval is narrow enough."""

    @property
    def relative(self) -> float:
        """Half-width over mean to reach."""
        ...

    @property
    def metric(self) -> str:
        """Of which metric."""
        ...

    @property
    def least(self) -> int:
        """Replications to begin with."""
        ...

    @property
    def most(self) -> int:
        """Replications at most."""
        ...


class Specification(Protocol):
    """An experiment, as a value."""

    @property
    def key(self) -> str:
        """Hash of everything in it."""
        ...

    @property
    def first_replications(self) -> int:
        """Replications that are run in any case."""
        ...

    @property
    def precision(self) -> Precision | None:
        """When to stop replicating; None: after the first replications."""
        ...

    def to_toml(self) -> str:
        """Its file."""
        ...

    def tasks(self, replications: int | None = None) -> Sequence[Task]:
        """List the tasks; those of more replications begin with those of fewer."""
        ...
