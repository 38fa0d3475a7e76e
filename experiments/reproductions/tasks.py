"""The units of work of a reproduction: the bounds at one point, and one family at one point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fluid
from experiments.paths.streams import Stream
from experiments.reproductions.sampling import observe, sample
from experiments.reproductions.sweep import Point, Sweep
from experiments.reproductions.tuning import tune, tuned_policy
from orsched.bound import best_bound
from orsched.errors import InputError
from orsched.gap_table import GAP_METRIC

BOUNDS = "bounds"
"""In the place of a family: the bounds of the paths."""


@dataclass(frozen=True, slots=True)
class Task:
    """One cell to compute.

    Parameters
    ----------
    sweep : Sweep
        Where it belongs.
    point : Point
        One of the sweep's.
    family : str
        Name of one of the sweep's families, or `BOUNDS`.
    seed : int
        Of every random stream.
    """

    sweep: Sweep
    point: Point
    family: str
    seed: int

    @property
    def identity(self) -> str:
        """Everything that decides the cell's numbers, but for the code."""
        sweep = self.sweep
        parts = (sweep.law, sweep.fleet, self.point, self.family, sweep.caps, sweep.replications)
        return repr((*parts, sweep.tuning_replications, self.seed))

    def compute(self) -> dict[str, Any]:
        """The cell as a JSON document."""
        return self._bounds() if self.family == BOUNDS else self._family()

    def _bounds(self) -> dict[str, Any]:
        found = []
        for replication in range(self.sweep.replications):
            path = sample(self.sweep, self.point, Stream.WORKLOAD, replication, self.seed)
            bound = best_bound(fluid.bounds(path, self.sweep.fleet), GAP_METRIC)
            if bound is None:
                raise InputError(f"no valid bound on {GAP_METRIC} for sweep {self.sweep.name!r}")
            found.append({"name": bound.name, "value": bound.value, "certified": bound.certified})
        return {"load": load_at(self.sweep, self.point.rate_per_s), "bounds": found}

    def _family(self) -> dict[str, Any]:
        sweep, point, seed = self.sweep, self.point, self.seed
        family = sweep.family(self.family)
        if family is None:
            raise InputError(f"sweep {sweep.name!r} has no family {self.family!r}")
        load = load_at(sweep, point.rate_per_s)
        tuned = tune(sweep, family, point, load, seed)
        cell: dict[str, Any] = {
            "curve": list(map(list, tuned.curve)),
            "cap": tuned.cap,
            "reason": tuned.reason,
            "rows": [],
        }
        if tuned.cap is None:
            return cell
        policy = tuned_policy(sweep, family, tuned.cap)
        cell["rows"] = [
            observe(sweep, sample(sweep, point, Stream.WORKLOAD, number, seed), policy, load, number, seed)
            for number in range(sweep.replications)
        ]
        return {**cell, "information": policy.information.label, "settings": dict(policy.settings)}


def load_at(sweep: Sweep, rate_per_s: float) -> float:
    """Load of the sweep's law at a rate: 1 is the edge of the planning LP's capacity region."""
    return sweep.law.whole().at_rate(rate_per_s).load_on(sweep.fleet)
