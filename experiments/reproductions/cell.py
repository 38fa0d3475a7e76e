"""What is known about one policy at one point of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from experiments.comparison.gaps import pooled_stability
from experiments.reproductions.sampling import Row
from experiments.reproductions.sweep import Point
from orsched.errors import MismatchError
from orsched.statistics.estimate import Estimate, estimate
from orsched.statistics.stability import Stability

TOLERANCE = 1e-9
"""Relative rounding allowed before a policy is said to have beaten a pathwise bound."""


@dataclass(frozen=True)
class Cell:
    """One family at one point.

    Parameters
    ----------
    sweep, family : str
        Names.
    point : Point
        Rate and requests.
    load : float
        Of that rate on the sweep's fleet; 1 is the edge of the planning LP's capacity region.
    found : mapping
        What `experiments.reproductions.tasks` computed for the family.
    bounds_s : tuple of float
        Best valid pathwise bound on the mean latency, by replication.
    """

    sweep: str
    family: str
    point: Point
    load: float
    found: Mapping[str, Any]
    bounds_s: tuple[float, ...]

    @property
    def cap(self) -> int | None:
        """The cap chosen for it; None when it could not run."""
        cap: int | None = self.found["cap"]
        return cap

    @property
    def rows(self) -> Sequence[Row]:
        """By replication; empty when it could not run."""
        rows: Sequence[Row] = self.found["rows"]
        return rows

    def column(self, metric: str) -> list[float]:
        """One number per replication."""
        return [row[metric] for row in self.rows]  # type: ignore[literal-required]

    def estimate(self, metric: str = "latency_mean_s") -> Estimate:
        """Mean and 95% interval over the replications."""
        return estimate(self.column(metric))

    @property
    def gaps(self) -> list[float]:
        """Relative distance of the whole path's mean latency from its bound, by replication."""
        pairs = zip(self.column("whole_latency_mean_s"), self.bounds_s, strict=True)
        gaps = [(value - bound) / bound for value, bound in pairs]
        if min(gaps) < -TOLERANCE:
            raise MismatchError(
                f"{self.family} in {self.sweep!r} at {self.point.rate_per_s:g}/s has a mean latency below a pathwise "
                "bound: the bound or the simulation is wrong, please report it"
            )
        return gaps

    @cached_property
    def stable(self) -> bool:
        """Whether it kept up with the arrivals, pooled over the replications as in gap tables."""
        verdicts = [Stability(row["stable"], "", row["growth_per_s"]) for row in self.rows]
        return pooled_stability(self.load, verdicts, self.point.requests)[0]
