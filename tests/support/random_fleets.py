"""Random fleets with roles, links, migrations at random and faults, for laws that must hold in all of them."""

from dataclasses import dataclass, replace

import numpy as np

from orsched import (
    EVERY,
    Fleet,
    Group,
    Hardware,
    InstanceFault,
    Link,
    LinkFault,
    Migrate,
    Policy,
    Run,
    StagedCopy,
    Workload,
    simulate,
)
from orsched.faults import Fault
from orsched.service import Affine
from policies import ROUTERS
from policies.vllm_v1 import vllm_v1

LENGTHS = 60


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a simulation needs."""

    workload: Workload
    fleet: Fleet
    policy: Policy
    faults: tuple[Fault, ...]

    def run(self, **options) -> Run:
        """Simulate it."""
        return simulate(self.workload, self.fleet, self.policy, faults=self.faults, **options)


def random_case(seed: int, router: str = "jsq") -> Case:
    """A prefill-decode fleet, sometimes with mixed instances, under memory pressure; half of them with faults."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    arrivals = rng.exponential(0.05, n).cumsum()
    work = Workload.of(arrivals, rng.integers(1, LENGTHS, n), rng.integers(1, LENGTHS, n))
    fleet = random_fleet(rng, int((work.input_tokens + work.output_tokens).max()))
    policy = replace(
        vllm_v1(), route=ROUTERS[router], control=RandomMoves(seed), control_every_s=float(rng.uniform(0.05, 0.3))
    )
    faults = random_faults(rng, float(arrivals[-1]), fleet.size) if rng.integers(2) else ()
    return Case(work, fleet, policy, faults)


def random_fleet(rng: np.random.Generator, longest: int) -> Fleet:
    """Prefill and decode instances, sometimes mixed ones, whose memory holds one to five of the longest requests."""
    block = int(rng.choice([1, 7, 16]))
    capacity = int(max(120, longest) * rng.uniform(1.1, 5)) // block * block + block
    hardware = Hardware(
        "small",
        Affine(0.01, 1e-4, 1e-3, 1e-5),
        capacity,
        int(rng.integers(2, 12)),
        block,
        kv_bytes_per_token=1000.0,
        keeps_preempted_kv=bool(rng.integers(2)),
    )

    def group(role: str) -> Group:
        link = Link(float(rng.choice([np.inf, 1e5, 1e6, 1e7])), float(rng.choice([0, 0.003])))
        return Group(hardware, int(rng.integers(1, 4)), role, link=link)

    roles = ["prefill", "decode", "mixed"][: int(rng.integers(2, 4))]
    copy = StagedCopy(int(rng.integers(0, 4)), int(rng.integers(0, 20)), float(rng.choice([0, 0.005])))
    return Fleet(tuple(map(group, roles)), copy)


def random_faults(rng: np.random.Generator, last_s: float, size: int) -> tuple[Fault, ...]:
    """Deaths with repair, and links that slow down or drop."""
    deaths = [
        InstanceFault(float(rng.uniform(0, last_s * 1.5)), int(rng.integers(size)), float(rng.uniform(0.05, 1)))
        for _ in range(int(rng.integers(1, 4)))
    ]
    slow = LinkFault(
        float(rng.uniform(0, last_s)), int(rng.integers(size)), float(rng.uniform(0.05, 1)), rng.choice([0, 0.1])
    )
    return (*deaths, slow)


class RandomMoves:
    """A controller that orders migrations at random, the same in every simulation of a seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, view):
        rng = np.random.default_rng([self._seed, view.memo.setdefault("ticks", 0)])
        view.memo["ticks"] += 1
        members = view.members(EVERY)
        orders = []
        for source in members:
            decoding = view.decoding(source)
            if decoding and len(members) > 1 and rng.random() < 0.5:
                target = int(rng.choice([i for i in members if i != source]))
                orders.append(Migrate(decoding[int(rng.integers(len(decoding)))], target))
        return orders
