"""Random fleets with all that routers may look at: tiers, objectives, shared prefixes, instances that are off."""

from dataclasses import replace

import numpy as np
from random_fleets import Case, random_case

from orsched import SLO, Fleet, Group, RequestClass, Role, Workload
from orsched.workloads import PrefixBlocks


def families(work: Workload, block_tokens: int, rng: np.random.Generator, count: int = 3) -> Workload:
    """The same requests, each of one of a few families: within one, every prompt begins a longer one."""
    counts = work.input_tokens // block_tokens
    family = rng.integers(0, count, len(work))
    ids = [int(f) * 10_000 + k for f, n in zip(family, counts, strict=True) for k in range(n)]
    return replace(work, prefix_blocks=PrefixBlocks.of(block_tokens, ids, counts))


def routed_case(seed: int, router: object) -> Case:
    """A `random_case` behind a router: two classes, one with an objective; most fleets cache prefixes or have tiers."""
    rng = np.random.default_rng([seed, 1])
    case = random_case(seed)
    block = case.fleet.hardware.block_tokens
    work = families(case.workload, block * int(rng.integers(1, 3)), rng)
    objective = SLO(float(rng.uniform(0.05, 0.5)), float(rng.uniform(0.012, 0.05)))
    classes = (RequestClass("loose"), RequestClass("strict", objective))
    work = replace(work, classes=classes, class_id=rng.integers(0, 2, len(work)))
    caches, tiers = bool(rng.integers(3)), bool(rng.integers(2))
    groups = []
    for group in case.fleet.groups:
        if caches:
            hardware = replace(group.hardware, keeps_preempted_kv=True, keeps_prefixes=True)
            group = replace(group, hardware=hardware)
        groups.append(group)
        if tiers and group.role is not Role.DECODE:
            groups[-1:] = [replace(group, tier=tier) for tier in "ab"]
    groups.append(Group(groups[0].hardware, 1, off=1, tier=groups[0].tier))
    fleet = Fleet(tuple(groups), case.fleet.migration)
    return Case(work, fleet, case.policy.routed_by(router), case.faults)
