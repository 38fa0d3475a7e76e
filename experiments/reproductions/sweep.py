"""What is run for one figure or table of a paper: policies with one tuning variable, at several arrival rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.workloads import Workload
from orsched.workloads.sources import SyntheticSource


@dataclass(frozen=True, slots=True)
class Family:
    """A policy with one free number, the cap: the most requests it may hold in service.

    Parameters
    ----------
    name : str
        Label in tables.
    capped : callable
        ``capped(cap, law, fleet) -> Policy``; `law` stands for the workload (class shares, lengths), it is never the
        sample path to be served. Raises InputError when the policy has no setting with that cap.
    """

    name: str
    capped: Callable[[int, Workload, Fleet], Policy]


@dataclass(frozen=True, slots=True)
class Point:
    """Poisson arrivals at `rate_per_s` requests per second, `requests` of them on a sample path."""

    rate_per_s: float
    requests: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """One experiment: every family at every point, each with the cap that suits it best there.

    Parameters
    ----------
    name, title : str
        Short name for cells and files; heading on the page.
    law : SyntheticSource
        Lengths of the requests; its arrival process is replaced by Poisson arrivals at the rate of a point.
    fleet : Fleet
        What serves them.
    points : tuple of Point
        Rates and lengths of the sample paths.
    families : tuple of Family
        The policies.
    caps : tuple of int
        The grid of caps, the same for every family; a single one leaves nothing to tune.
    replications, tuning_replications : int
        Sample paths per point for the results, and others for the choice of the cap.
    """

    name: str
    title: str
    law: SyntheticSource
    fleet: Fleet
    points: tuple[Point, ...]
    families: tuple[Family, ...]
    caps: tuple[int, ...]
    replications: int
    tuning_replications: int

    def family(self, name: str) -> Family | None:
        """The family of that name, if it takes part."""
        return next((family for family in self.families if family.name == name), None)
