"""How the instances of a sweep are arranged: all alike, divided among the tiers, or mostly in PolyServe's pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from experiments.reproductions.polyserve.plan_of_tiers import servers_per_rate
from experiments.reproductions.polyserve.setting import DEVICE, Sweep
from orsched.catalogue import hardware
from orsched.fleet import Fleet
from orsched.group import Group, Role
from orsched.link import Link
from policies.routers.class_partition import divided

LINK = Link(25e9, 1e-5)
START_UP_S = 10.0

Arrangement = Callable[[Sweep], Fleet]


def alike(sweep: Sweep) -> Fleet:
    """No tiers."""
    return _fleet(sweep, [Group(hardware(DEVICE), sweep.instances - sweep.prefills)])


def by_tier(sweep: Sweep) -> Fleet:
    """Instances of its own for each tier, in proportion to what the fluid plan gives it at the known shares."""
    tiers = divided(
        Fleet.identical(hardware(DEVICE), sweep.instances - sweep.prefills),
        [tier.name for tier in sweep.tiers],
        servers_per_rate(sweep),
    )
    return _fleet(sweep, tiers.groups)


def pooled(sweep: Sweep) -> Fleet:
    """One instance for each tier; all others in the pool."""
    return _fleet(sweep, [*_firsts(sweep), _pool(sweep)])


def switched_off(sweep: Sweep) -> Fleet:
    """One instance for each tier; all others off, and slow to start."""
    pool = _pool(sweep)
    return _fleet(sweep, [*_firsts(sweep), replace(pool, off=pool.size, start_up_s=START_UP_S)])


def _firsts(sweep: Sweep) -> list[Group]:
    return [Group(hardware(DEVICE), 1, tier=tier.name) for tier in sweep.tiers]


def _pool(sweep: Sweep) -> Group:
    return Group(hardware(DEVICE), sweep.instances - sweep.prefills - len(sweep.tiers))


def _fleet(sweep: Sweep, groups: Iterable[Group]) -> Fleet:
    """The groups, which decode only if the sweep has prefill instances, with these before them."""
    if not sweep.prefills:
        return Fleet(tuple(groups))
    prefill = Group(hardware(DEVICE), sweep.prefills, Role.PREFILL, link=LINK)
    return Fleet((prefill, *(replace(group, role=Role.DECODE, link=LINK) for group in groups)))
