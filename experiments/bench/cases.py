"""What the engine is timed on: the reference workload, at load 0.9 where the policy can run there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

import policies
from orsched.catalogue import hardware
from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.workloads.catalogue import workload_source

LOAD = 0.9
SEED = 1
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """One policy on `instances` instances at a load; the router matters for several only."""

    policy: str
    instances: int = 1
    router: str = "jsq"
    load: float = LOAD
    hardware: str = "reference"

    def seconds(self, requests: int, repeats: int = 1) -> float:
        """Simulate `requests` requests; return the CPU time of the simulation alone, the best of `repeats` runs."""
        fleet = Fleet.identical(hardware(self.hardware), self.instances)
        source = workload_source("reference")
        policy = policies.build(self.policy, source.whole().at_load(self.load, fleet), fleet)
        if self.instances > 1:
            policy = policy.routed_by(policies.get_router(self.router))
        workload = source.draw(requests, np.random.default_rng(SEED)).at_load(self.load, fleet)
        times = []
        for _ in range(repeats):
            start = time.process_time()
            simulate(workload, fleet, policy, SEED)
            times.append(time.process_time() - start)
        return min(times)


SINGLE = Case("vllm-v1")
WAIT = Case("wait")
NESTED = Case("nested-wait", load=0.5)  # its conditions leave no thresholds at 0.9
MC_SF = Case("mc-sf")
FLEET64 = Case("vllm-v1", instances=64)


def single_simulation(requests: int) -> Callable[[], float]:
    """One long simulation on one instance, for `experiments.bench.memory`."""
    return partial(SINGLE.seconds, requests)
