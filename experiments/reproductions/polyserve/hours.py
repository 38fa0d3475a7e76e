"""Server-hours: PolyServe that switches idle servers off, beside the smallest fleets that stay on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypedDict

from experiments.paths.streams import Stream, generator, seed_sequence
from experiments.reproductions.goodput import bracket
from experiments.reproductions.polyserve.families import family
from experiments.reproductions.polyserve.fleets import switched_off
from experiments.reproductions.polyserve.setting import LEVEL, OURS, Sweep
from experiments.reproductions.polyserve.tasks import shares
from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.scoring import horizon_s
from orsched.workloads import PiecewisePoisson, Poisson
from orsched.workloads.arrivals import ArrivalProcess
from policies.fleet_systems import fleet_system

MEAN_LOAD = 0.5
SWING = (0.25, 0.75)
HALF_PERIOD_S = 30.0

PATTERNS: Mapping[str, Callable[[float], ArrivalProcess]] = MappingProxyType(
    {
        "steady": lambda capacity_per_s: Poisson(MEAN_LOAD * capacity_per_s),
        "swinging": lambda capacity_per_s: PiecewisePoisson(
            (0.0, HALF_PERIOD_S), tuple(load * capacity_per_s for load in SWING), 2 * HALF_PERIOD_S
        ),
    }
)
"""Arrivals, by the capacity of the whole fleet."""

SCALED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"most-loaded": {"order": "most-loaded"}, "least-loaded": {"order": "least-loaded"}}
)
"""PolyServe with power-off, by the order in which servers are tried."""

STATIC = ("sarathi/jsq", "tier-chunks/jsq", "tier-chunks/partition")
"""Fleets that stay on, with their first choice of settings in turn."""

STARTS_AT_ONCE = 4


class Cost(TypedDict):
    """Servers that were on, in the mean over the whole run, and the share within deadlines."""

    servers: float
    deadlines: float
    worst_tier: float


@dataclass(frozen=True, slots=True)
class HoursTask:
    """One way to run the fleet under one pattern of arrivals; a name of `SCALED` or `STATIC`."""

    sweep: Sweep
    pattern: str
    way: str
    seed: int

    @property
    def identity(self) -> str:
        """Everything that decides the cell's numbers, but for the code."""
        sweep = replace(self.sweep, name="", title="", families=(), tuning_requests=0, ablations=())
        return repr(("polyserve hours", sweep, self.pattern, self.way, self.seed))

    def compute(self) -> dict[str, Any]:
        """A cost per path."""
        serve = self._scaled if self.way in SCALED else self._smallest
        return {"rows": [serve(replication) for replication in range(self.sweep.replications)]}

    def _scaled(self, replication: int) -> Cost:
        fleet = switched_off(self.sweep)
        system = fleet_system(OURS)
        settings = system.settings(power_off=True, starts_at_once=STARTS_AT_ONCE, **SCALED[self.way])
        return self._cost(fleet, system.build(self.sweep.whole, fleet, settings), replication)

    def _smallest(self, replication: int) -> Cost:
        """The smallest fleet that keeps the level, or the largest there is."""
        found = family(self.sweep, self.way)
        sizes = range(self.sweep.instances, len(self.sweep.tiers) - 1, -1)
        costs: dict[int, Cost] = {}

        def kept(k: int) -> bool:
            fleet, policy = found.set_up(replace(self.sweep, instances=sizes[k]), found.choices[0])
            costs[k] = self._cost(fleet, policy, replication)
            return costs[k]["deadlines"] >= LEVEL

        return costs[max(0, bracket(kept, len(sizes), len(sizes) // 2))]

    def _cost(self, fleet: Fleet, policy: Policy, replication: int) -> Cost:
        sweep = self.sweep
        arrivals = PATTERNS[self.pattern](sweep.capacity_per_s)
        path = sweep.path_of(arrivals, sweep.requests, generator(self.seed, Stream.WORKLOAD, replication))
        run = simulate(path, fleet, policy, seed_sequence(self.seed, Stream.POLICY, replication), deadlines=True)
        within = shares(run, path)
        return {
            "servers": float(run.on_s.sum()) / horizon_s(run),
            "deadlines": within["deadlines"],
            "worst_tier": within["worst_tier"],
        }
