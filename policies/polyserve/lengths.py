"""The average decode length: the only thing that PolyServe knows about outputs that have not ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_whole, check_wholes
from orsched.work import Ints
from orsched.workloads import Workload

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView

AverageLengths = Callable[["FleetView"], tuple[int, ...]]
"""``lengths(view)``: average output tokens of each workload class, as known now; asked for once at every check."""


@dataclass(frozen=True, slots=True)
class KnownLengths:
    """Averages that the deployment knows beforehand.

    Parameters
    ----------
    tokens : tuple of int
        Average output of each workload class, tokens.
    """

    tokens: tuple[int, ...]

    def __post_init__(self) -> None:
        check_wholes(self, "tokens")

    @classmethod
    def by_class(cls, workload: Workload) -> KnownLengths:
        """The mean of each class of `workload`, rounded; that of all for a class without requests."""
        overall = _rounded(workload.output_tokens)
        found = (workload.output_tokens[workload.class_id == k] for k in range(len(workload.classes)))
        return cls(tuple(_rounded(tokens) if len(tokens) else overall for tokens in found))

    @classmethod
    def of_fleet(cls, workload: Workload) -> KnownLengths:
        """The mean over all requests of `workload`, the same for every class."""
        return cls((_rounded(workload.output_tokens),) * len(workload.classes))

    def __call__(self, view: FleetView) -> tuple[int, ...]:
        """Return what is known."""
        return self.tokens


@dataclass(frozen=True, slots=True)
class RunningLengths:
    """Means over the requests that have completed so far, by class: what a router sees pass through it.

    Learnt at every check. Requests that end early are over-represented at first, as they are for any router that
    learns so.

    Parameters
    ----------
    classes : int
        Workload classes.
    first_tokens : int
        Stands for the mean of a class of which nothing has completed.
    """

    classes: int
    first_tokens: int = 256

    def __post_init__(self) -> None:
        check_whole(self, "classes")
        check_whole(self, "first_tokens")

    def __call__(self, view: FleetView) -> tuple[int, ...]:
        """Learn from what has completed since the last check."""
        seen: _Seen = view.memo.setdefault("polyserve lengths", _Seen(self.classes))
        seen.follow(view)
        means = zip(seen.total, seen.count, strict=True)
        return tuple(max(1, round(total / count)) if count else self.first_tokens for total, count in means)


class _Seen:
    """Requests that have arrived and have not been seen to complete, and the sums over those that have."""

    def __init__(self, classes: int) -> None:
        self.total = [0] * classes
        self.count = [0] * classes
        self._open: list[int] = []
        self._next = 0

    def follow(self, view: FleetView) -> None:
        while view.has_arrived(self._next):
            self._open.append(self._next)
            self._next += 1
        left = []
        for request in self._open:
            tokens = view.completed_tokens(request)
            if tokens is None:
                left.append(request)
            else:
                self.total[view.label(request)] += tokens
                self.count[view.label(request)] += 1
        self._open = left


def _rounded(tokens: Ints) -> int:
    return max(1, round(float(tokens.mean())))
