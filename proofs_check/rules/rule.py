"""What a rule is given and what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Instance = Mapping[str, Any]

Draws = Iterator[tuple[float, Instance]]
"""Slack and instance of one draw after the other; a slack is never NaN. Without end, but for `Exhaustive`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's answer.

    Parameters
    ----------
    true : bool or None
        Whether the statement was found true; None: undecided.
    slack : float
        Smallest slack, or distance of the estimate from where the rule decides: >= 0 when found true, < 0 when not.
    witness : mapping
        The instance with that slack, or the estimate.
    instances : int
        How many draws were used.
    confidence : float
        Probability with which a false statement would have been caught.
    """

    true: bool | None
    slack: float
    witness: Instance
    instances: int
    confidence: float


class Rule(Protocol):
    """Decides from draws; stops as early as it can."""

    def decide(self, draws: Draws, quick: bool) -> Finding:
        """Take as many draws as needed; a quick decision never takes more than a full one."""
        ...
