"""One sample path on one fleet, as plain values: what decides it, and drawing it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from experiments.fleet.streams import FleetStream, fleet_generator
from experiments.paths.source import fleet_notices
from experiments.paths.streams import Stream, generator
from experiments.tasks.fleet_choice import FleetChoice
from experiments.tasks.workload_choice import WorkloadChoice, source_for
from fluid.pathwise.alike import alike
from fluid.subject import identity
from orsched.fleet import Fleet
from orsched.objectives import Objectives
from orsched.request import SLO
from orsched.workloads import Workload

AxisName = Literal["load", "rate_per_s", "scale"]


@dataclass(frozen=True, slots=True)
class PathChoice:
    """A sample path; the same for every policy, router and predictor (common random numbers).

    Parameters
    ----------
    workload, fleet : WorkloadChoice, FleetChoice
        Which requests, and the fleet that loads refer to.
    axis : {"load", "rate_per_s", "scale"}
        What `point` is: the load; requests per second for the whole fleet; or a multiple of the number of requests at
        the load `scale_load` (rates and speeds times the scale over one horizon, told on the unscaled clock).
    point : float
        Where on the axis.
    scale_load : float, optional
        Load of a scale; None on the other axes.
    requests : int
        Of the path, the scale included.
    seed, replication : int
        Of its random stream.
    """

    workload: WorkloadChoice
    fleet: FleetChoice
    axis: AxisName
    point: float
    scale_load: float | None
    requests: int
    seed: int
    replication: int

    @property
    def facts(self) -> dict[str, object]:
        """Everything that decides the path and its fleet."""
        return {
            **self.workload.facts,
            **self.fleet.facts,
            "axis": self.axis,
            "point": self.point,
            "scale_load": self.scale_load,
            "requests": self.requests,
            "seed": self.seed,
            "replication": self.replication,
        }

    @property
    def shown(self) -> str:
        """One line for progress and failures."""
        place = f"{self.axis} {self.point:g}"
        where = f"{self.workload.shown} on {self.fleet.fleet().name}"
        return f"{where}, {place}, seed {self.seed}, replication {self.replication}"

    @property
    def load(self) -> float | None:
        """Load of the law of the path on its fleet, the same for all its paths: that of the whole workload.

        None on a fleet that mixes hardware: the load programme is about identical instances.
        """
        if not self.fleet.has_load:
            return None
        if self.axis == "rate_per_s":
            return _load_at_rate(self.workload, self.fleet, self.point)
        return self.point if self.scale_load is None else self.scale_load

    @property
    def least_load(self) -> float | None:
        """Where the fleet has no load: that of the whole workload on identical instances no worse than any of them.

        Whatever serves the path on its fleet obeys all that this load is derived from (`fluid.pathwise.alike`), so from
        1 on no policy keeps up. None where there is a load, and where prompts may skip work that it counts.
        """
        return None if self.fleet.has_load else _least_load_at_rate(self.workload, self.fleet, self.point)

    def brought(self, workload: Workload) -> Workload:
        """A workload at the load or the rate of the path."""
        if self.axis == "rate_per_s":
            return workload.at_rate(self.point)
        return workload.at_load(self.point if self.scale_load is None else self.scale_load, self.fleet.fleet())

    def whole(self) -> Workload:
        """The whole workload at the load or the rate, with tiers: the law, which policies may be tuned on."""
        found = self.brought(source_for(self.workload, self.fleet).whole())
        tiers = self.workload.tiers
        return found if tiers is None else tiers(found, fleet_generator(self.seed, FleetStream.WHOLE_TIERS, 0))


@lru_cache(maxsize=256)
def _load_at_rate(workload: WorkloadChoice, fleet: FleetChoice, rate_per_s: float) -> float:
    return source_for(workload, fleet).whole().at_rate(rate_per_s).load_on(fleet.fleet())


@lru_cache(maxsize=256)
def _least_load_at_rate(workload: WorkloadChoice, fleet: FleetChoice, rate_per_s: float) -> float | None:
    whole, built = source_for(workload, fleet).whole(), fleet.fleet()
    if whole.prefix_blocks is not None and any(group.hardware.keeps_prefixes for group in built.groups):
        return None
    return whole.at_rate(rate_per_s).load_on(alike(built))


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPath:
    """A sample path in memory.

    Parameters
    ----------
    workload, fleet : Workload, Fleet
        The path and what serves it.
    load : float or None
        Load of its law on the fleet (`PathChoice.load`).
    objectives : Objectives, optional
        Those of the tiers, where there are tiers.
    subject : str
        Identity of the two, as `fluid.subject.identity` has it.
    notices : tuple of str
        What was changed or assumed.
    """

    workload: Workload
    fleet: Fleet
    load: float | None
    objectives: Objectives | None
    subject: str
    notices: tuple[str, ...]

    def judged_by(self, slo: SLO | None) -> SLO | Objectives | None:
        """What counts as within the objective: each request's own, or the same for all."""
        return slo if self.objectives is None else self.objectives


@lru_cache(maxsize=2)
def drawn(path: PathChoice) -> DrawnPath:
    """Draw a path; kept for the next task on it."""
    source = source_for(path.workload, path.fleet)
    fleet = path.fleet.fleet()
    rng = generator(path.seed, Stream.WORKLOAD, path.replication)
    workload, objectives, tiers = path.brought(source.draw(path.requests, rng)), None, path.workload.tiers
    if tiers is not None:
        workload = tiers(workload, fleet_generator(path.seed, FleetStream.TIERS, path.replication))
        objectives = Objectives.of(workload)
    return DrawnPath(workload, fleet, path.load, objectives, identity(workload, fleet), _notices(path))


def _notices(path: PathChoice) -> tuple[str, ...]:
    return _notices_of(path.workload, path.fleet, path.requests)


@lru_cache(maxsize=64)
def _notices_of(workload: WorkloadChoice, fleet: FleetChoice, requests: int) -> tuple[str, ...]:
    return fleet_notices(source_for(workload, fleet), requests, fleet.fleet())
