"""One task: all bounds of one sample path."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import fluid
from experiments.tasks.code_version import code_version
from experiments.tasks.identity import canonical, task_id
from experiments.tasks.path_choice import PathChoice, drawn
from experiments.tasks.row import row_of
from orsched.request import SLO

if TYPE_CHECKING:
    from experiments.results.place import Place

BoundsName = Literal["all", "fast"]

BOUNDS = {"all": fluid.bounds, "fast": fluid.fast_bounds}
"""What each name computes."""


@dataclass(frozen=True, slots=True)
class BoundTask:
    """Bound every metric of one sample path, for every policy.

    Parameters
    ----------
    path : PathChoice
        The path.
    bounds : {"all", "fast"}
        `fluid.bounds`, or `fluid.fast_bounds` without linear programmes over requests.
    slo : SLO, optional
        For goodput and attainment, where requests have no tiers.
    place : Place, optional
        Where it stands in an experiment: labels, no part of what it is.
    """

    path: PathChoice
    bounds: BoundsName = "all"
    slo: SLO | None = None
    place: Place | None = field(default=None, compare=False)

    kind: ClassVar[str] = "bound"

    @property
    def identity(self) -> str:
        """Canonical JSON of everything that decides the numbers, but for the code."""
        slo = None if self.slo is None else [self.slo.ttft_s, self.slo.tpot_s]
        return canonical({"kind": self.kind, "path": self.path.facts, "bounds": self.bounds, "slo": slo})

    @property
    def id(self) -> str:
        """Name of the task and of the row it computes."""
        return task_id(code_version(), self.identity)

    def describe(self) -> str:
        """One line for progress and failures."""
        return f"bounds of {self.path.shown}"

    def compute(self) -> dict[str, Any]:
        """The row; the same wherever it is computed, but for ``wall_s``.

        Raises
        ------
        OrschedError
            When the path cannot be drawn or bounded.
        """
        start = time.perf_counter()
        sample = drawn(self.path)
        found = BOUNDS[self.bounds](sample.workload, sample.fleet, sample.judged_by(self.slo))
        row = row_of(self.id, self.kind, self.path, sample, time.perf_counter() - start)
        row["bounds"] = [
            {
                "name": bound.name,
                "metric": bound.metric,
                "sense": bound.sense,
                "value": bound.value,
                "validity": bound.validity,
                "certified": bound.certified,
            }
            for bound in found
        ]
        return row
