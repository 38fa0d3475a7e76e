"""Finished cells of the PolyServe experiments, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.reproductions.goodput import goodput
from experiments.reproductions.plan import Cells
from experiments.reproductions.polyserve.families import ABLATIONS
from experiments.reproductions.polyserve.hours import HoursTask
from experiments.reproductions.polyserve.plan_of_tiers import planned_per_s
from experiments.reproductions.polyserve.setting import LEVEL, SHOWN_LOAD, Sweep
from experiments.reproductions.polyserve.tasks import MEASURES, BoundTask, GoodputTask, Visit
from orsched.statistics.estimate import Estimate, estimate


@dataclass(frozen=True)
class Results:
    """Cells by sweep and family; goodputs are loads, relative to the fleet's capacity, unless said otherwise.

    Parameters
    ----------
    sweeps : tuple of Sweep
        What was run.
    hours : tuple of HoursTask
        Server-hours that were counted.
    seed : int
        Of every random stream.
    found : mapping
        Cells by identity.
    """

    sweeps: tuple[Sweep, ...]
    hours: tuple[HoursTask, ...]
    seed: int
    found: Cells = field(repr=False)

    def task(self, sweep: Sweep, family: str) -> GoodputTask:
        """The task of a family; parts left out are searched by the first measure only."""
        return GoodputTask(sweep, family, MEASURES[:1] if family in ABLATIONS else MEASURES, self.seed)

    def cell(self, sweep: Sweep, family: str) -> Mapping[str, Any]:
        """Everything about a family."""
        return self.found[self.task(sweep, family).identity]

    def bounds(self, sweep: Sweep) -> Mapping[str, Any]:
        """What `BoundTask` found."""
        return self.found[BoundTask(sweep, self.seed).identity]

    def goodputs(self, sweep: Sweep, family: str, scoring: str = "deadlines", level: float = LEVEL) -> list[float]:
        """`goodput` of each path; 0 when the level is not kept at the smallest load."""
        paths: Sequence[Sequence[Visit]] = self.cell(sweep, family)["paths"]
        return [
            goodput([one["load"] for one in path], [one[scoring] for one in path], level)  # type: ignore[literal-required]
            for path in paths
        ]

    def of_optimal(self, sweep: Sweep, family: str, scoring: str = "deadlines", level: float = LEVEL) -> Estimate:
        """Goodput over the largest load at which every request of the path can be good."""
        limits = self.bounds(sweep)["all_good"][scoring]
        pairs = zip(self.goodputs(sweep, family, scoring, level), limits, strict=True)
        return estimate([ours / limit for ours, limit in pairs])

    def of_plan(self, sweep: Sweep, family: str) -> Estimate:
        """Goodput over that of the fluid plan with servers for each tier."""
        planned = planned_per_s(sweep) / sweep.capacity_per_s
        return estimate([ours / planned for ours in self.goodputs(sweep, family)])

    def ratio(
        self, sweep: Sweep, family: str, over: str, scoring: str = "deadlines", level: float = LEVEL
    ) -> Estimate | None:
        """Goodput of a family over that of another, paired by path; None when the other's is 0 on some path."""
        base = self.goodputs(sweep, over, scoring, level)
        if not all(base):
            return None
        pairs = zip(self.goodputs(sweep, family, scoring, level), base, strict=True)
        return estimate([ours / other for ours, other in pairs])

    def shown(self, sweep: Sweep, family: str, metric: str) -> Estimate:
        """A number at `SHOWN_LOAD`."""
        visits = [one for path in self.cell(sweep, family)["paths"] for one in path if one["load"] == SHOWN_LOAD]
        return estimate([one[metric] for one in visits])

    def best_baseline(self, sweep: Sweep) -> str:
        """The published batcher and router with the best score on the tuning path; the first of equals."""
        names = [name for name in sweep.families if name.startswith(("vllm", "sarathi"))]
        return max(names, key=lambda name: max(self.cell(sweep, name)["scores"]))

    def hours_column(self, pattern: str, way: str, metric: str) -> list[float]:
        """One number per path."""
        (task,) = (one for one in self.hours if (one.pattern, one.way) == (pattern, way))
        return [row[metric] for row in self.found[task.identity]["rows"]]

    @property
    def ablated(self) -> tuple[Sweep, ...]:
        """Sweeps in which the parts of PolyServe are left out in turn."""
        return tuple(sweep for sweep in self.sweeps if sweep.ablations)

    def over_defaults(self, sweep: Sweep, ablation: str) -> Estimate | None:
        """Goodput with a part changed over that with none."""
        return self.ratio(sweep, ablation, next(iter(ABLATIONS)))


def families_of(sweep: Sweep) -> tuple[str, ...]:
    """All families of a sweep, those with a part left out included."""
    return (*sweep.families, *sweep.ablations)
