"""When enough replications have been run."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.errors import InputError
from orsched.estimate import Estimate


@dataclass(frozen=True, slots=True)
class StopRule:
    """Replicate until the relative half-width is small enough.

    Parameters
    ----------
    relative_half_width : float
        Target, for example 0.05.
    least, most : int
        Replications to run at least (2 or more) and at most. Stopping at a random time costs a little
        coverage; a `least` of 10 or more keeps it near the nominal level.
    """

    relative_half_width: float = 0.05
    least: int = 10
    most: int = 100

    def __post_init__(self) -> None:
        if not self.relative_half_width > 0:
            raise InputError(f"StopRule.relative_half_width = {self.relative_half_width!r}: must be > 0")
        if not 2 <= self.least <= self.most:
            raise InputError(f"StopRule: need 2 <= least <= most, got {self.least!r} and {self.most!r}")

    def reached(self, current: Estimate) -> bool:
        """Whether `current` is precise enough, from at least `least` replications."""
        if current.half_width is None or current.n < self.least:
            return False
        return current.half_width <= self.relative_half_width * abs(current.mean)

    def done(self, current: Estimate) -> bool:
        """Whether to stop: precise enough, or `most` replications run."""
        return current.n >= self.most or self.reached(current)
