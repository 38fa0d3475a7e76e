"""Speed of fleets by size and router, and the large case: a million requests on a thousand instances."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import policies
from experiments.bench.cases import LOAD, MILLION, SEED
from experiments.bench.memory import Measured, alone
from experiments.bench.yardstick import TIMEOUTS, simpy_timeouts_per_s
from orsched.catalogue import hardware
from orsched.engine.simulation import simulate
from orsched.errors import unknown_name
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.request import SLO, RequestClass
from orsched.workloads import Workload
from orsched.workloads.catalogue import workload_source

SIZES = (1, 8, 64, 256, 1000)
"""Instances of the fleets."""

LARGEST = 1000
LARGE = ("jsq", "polyserve")
"""What also serves a million requests on a thousand instances."""

TIERS = (RequestClass("tight", SLO(2.0, 0.025)), RequestClass("loose", SLO(6.0, 0.1)))
"""Two tiers of the reference workload, for systems that tell tiers apart; every other request each. Ours."""


@dataclass(frozen=True, slots=True)
class FleetCase:
    """The reference workload at load 0.9 on a number of reference instances.

    Parameters
    ----------
    router : str
        A router, before vLLM v1; or a fleet system.
    instances : int
        Size of the fleet.
    load : float
        Share of what the fleet can serve at most.
    """

    router: str
    instances: int
    load: float = LOAD

    def simulation(self, requests: int) -> Callable[[], object]:
        """Prepare everything; the returned function simulates `requests` requests."""
        fleet = Fleet.identical(hardware("reference"), self.instances)
        source = workload_source("reference")
        rng = np.random.default_rng(SEED)
        workload = _tiered(source.draw(requests, rng).at_load(self.load, fleet))
        policy = self._policy(_tiered(source.whole().at_load(self.load, fleet)), fleet)
        return partial(simulate, workload, fleet, policy, SEED)

    def seconds(self, requests: int) -> float:
        """CPU seconds of a simulation of `requests` requests."""
        run = self.simulation(requests)
        start = time.process_time()
        run()
        return time.process_time() - start

    def _policy(self, law: Workload, fleet: Fleet) -> Policy:
        if self.router in policies.fleet_system_names():
            system = policies.fleet_system(self.router)
            return system.build(law, fleet, system.settings())
        return policies.build("vllm-v1", law, fleet).routed_by(policies.get_router(self.router))


def bench_fleet(
    requests: int = 20_000, routers: Sequence[str] = (), sizes: Sequence[int] = SIZES, *, full: bool = False
) -> dict[str, Any]:
    """Time fleets on one core.

    Parameters
    ----------
    requests : int
        Per simulation.
    routers : sequence of str
        Routers (before vLLM v1) and fleet systems; empty: all routers, and PolyServe.
    sizes : sequence of int
        Instances.
    full : bool
        Also a million requests on a thousand instances under JSQ and PolyServe, each in a process of its own, with its
        peak memory.

    Returns
    -------
    dict
        ``requests``, ``simpy_timeouts_per_s``; ``cases``, one object each: ``router``, ``instances``,
        ``requests_per_s``, ``timeouts_per_request``; with `full` ``million``, one object per router: ``router``,
        ``instances``, ``wall_s``, ``cpu_s``, ``peak_mib``.

    Raises
    ------
    UnknownNameError
        When there is no router or fleet system of a name.
    """
    known = dict.fromkeys([*policies.router_names(), *policies.fleet_system_names()])
    for name in routers:
        if name not in known:
            raise unknown_name("router or fleet system", name, known)
    chosen = list(routers) or [*policies.router_names(), "polyserve"]
    FleetCase(chosen[0], 1).seconds(1_000)  # imports and caches
    timeouts = min(TIMEOUTS, 10 * requests)
    yardstick = simpy_timeouts_per_s(timeouts)
    speeds = {(name, size): requests / FleetCase(name, size).seconds(requests) for name in chosen for size in sizes}
    yardstick = max(yardstick, simpy_timeouts_per_s(timeouts))
    cases = [
        {"router": name, "instances": size, "requests_per_s": speed, "timeouts_per_request": yardstick / speed}
        for (name, size), speed in speeds.items()
    ]
    found: dict[str, Any] = {"requests": requests, "simpy_timeouts_per_s": yardstick, "cases": cases}
    if full:
        found["million"] = [_million(name) for name in LARGE]
    return found


def million_jsq(requests: int) -> Callable[[], object]:
    """A thousand instances under JSQ, for `experiments.bench.memory`."""
    return FleetCase("jsq", LARGEST).simulation(requests)


def million_polyserve(requests: int) -> Callable[[], object]:
    """A thousand instances under PolyServe, for `experiments.bench.memory`."""
    return FleetCase("polyserve", LARGEST).simulation(requests)


def _million(router: str) -> dict[str, Any]:
    spent: Measured = alone(f"experiments.bench.fleet:million_{router}", MILLION)
    return {
        "router": router,
        "instances": LARGEST,
        "wall_s": spent.wall_s,
        "cpu_s": spent.cpu_s,
        "peak_mib": spent.peak_mib,
    }


def _tiered(workload: Workload) -> Workload:
    """Give the requests of a workload the tiers in turn."""
    return replace(workload, class_id=np.arange(len(workload)) % len(TIERS), classes=TIERS)
