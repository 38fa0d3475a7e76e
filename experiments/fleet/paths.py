"""Sample paths of a fleet experiment: lengths and arrivals from a workload, at a rate, with tiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.fleet.streams import FleetStream, fleet_generator
from experiments.fleet.tiers import TierRule
from experiments.paths.streams import Stream, generator
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.workloads import GammaRenewal, Poisson, Workload
from orsched.workloads.sources import WorkloadSource


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast requests arrive.

    Parameters
    ----------
    kind : {"rate_per_s", "load", "scale"}
        What the value is: requests per second; load of the fleet; multiple of the recorded rate.
    value : float
        Above 0.
    """

    kind: Literal["rate_per_s", "load", "scale"]
    value: float

    def of(self, path: Workload, fleet: Fleet) -> float:
        """Requests per second for `path` on `fleet`.

        Raises
        ------
        InputError
            For a load of a fleet that mixes hardware: the load programme is about identical instances.
        """
        if self.kind == "rate_per_s":
            return self.value
        if self.kind == "scale":
            return self.value * path.rate_per_s
        if len(fleet.by_hardware()) > 1:
            raise InputError(f"workload.load = {self.value:g}: the fleet mixes hardware; give rate_per_s or scale")
        return path.rate_per_s * self.value / path.load_on(fleet)


@dataclass(frozen=True, slots=True)
class PathSource:
    """Everything that decides the sample paths of an experiment.

    Parameters
    ----------
    source : WorkloadSource
        Lengths, and the recorded pattern of arrivals.
    fleet : Fleet
        For loads.
    rate : Rate
        How fast.
    arrivals : Poisson or GammaRenewal, optional
        Renewal process in place of the recorded pattern.
    tiers : TierRule
        Which tier each request belongs to.
    requests, seed : int
        Of each path; of every stream.
    """

    source: WorkloadSource
    fleet: Fleet
    rate: Rate
    arrivals: Poisson | GammaRenewal | None
    tiers: TierRule
    requests: int
    seed: int

    def draw(self, replication: int) -> Workload:
        """The path of a replication, the same for every policy; lengths, arrivals and tiers have their own streams."""
        path = self.source.draw(self.requests, generator(self.seed, Stream.WORKLOAD, replication))
        return self._at_rate(path, FleetStream.TIERS, replication)

    def representative(self) -> Workload:
        """The whole workload at the rate and with tiers, which policies may be tuned on; no path is part of it."""
        return self._at_rate(self.source.whole(), FleetStream.WHOLE_TIERS, 0)

    def _at_rate(self, path: Workload, tiers: FleetStream, replication: int) -> Workload:
        rate_per_s = self.rate.of(path, self.fleet)
        if self.arrivals is not None:
            times = self.arrivals.sample(len(path), fleet_generator(self.seed, FleetStream.ARRIVALS, replication))
            path = path.take(np.arange(len(path)), times)
        return self.tiers(path.at_rate(rate_per_s), fleet_generator(self.seed, tiers, replication))
