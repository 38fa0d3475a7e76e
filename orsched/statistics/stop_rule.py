"""When enough replications have been run."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.checks import check_number, check_whole
from orsched.statistics.estimate import Estimate


@dataclass(frozen=True, slots=True)
class StopRule:
    """Replicate until the relative half-width is small enough.

    Parameters
    ----------
    relative_half_width : float
        Target, for example 0.05.
    least, most : int
        Replications to run at least (2 or more) and at most. Stopping at a random time costs coverage: in one queue,
        intervals at 95% covered 92.9% with a `least` of 10 and 94.1% with 20 (docs/statistics.md).
    """

    relative_half_width: float = 0.05
    least: int = 20
    most: int = 100

    def __post_init__(self) -> None:
        check_number(self, "relative_half_width", above=True)
        check_whole(self, "least", least=2)
        check_whole(self, "most", least=self.least)

    def reached(self, current: Estimate) -> bool:
        """Whether `current` is precise enough, from at least `least` replications."""
        if current.half_width is None or current.n < self.least:
            return False
        return current.half_width <= self.relative_half_width * abs(current.mean)

    def done(self, current: Estimate) -> bool:
        """Whether to stop: precise enough, or `most` replications run."""
        return current.n >= self.most or self.reached(current)
