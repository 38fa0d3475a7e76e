"""Instances of their own for every workload class: the system that shares nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.workloads import Workload
from policies.registry import get_recipe, get_router
from policies.routers import ClassPartition
from policies.system import System


@dataclass(frozen=True, slots=True)
class PartitionedSettings:
    """Which parts, and who has which tier.

    Parameters
    ----------
    batcher : str
        A registered policy; it plans the batches of every instance.
    router : str
        A registered router; it chooses within the tier.
    tiers : tuple of str, optional
        Tier of each workload class, in the order of the classes. None: the tier of its name; in the order of the
        fleet's groups where no class has a name of a tier.

    Raises
    ------
    InputError
        When the tiers are no tuple of names.
    UnknownNameError
        When there is no such part; the message suggests the nearest.
    """

    batcher: str = "vllm-v1"
    router: str = "jsq"
    tiers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        get_recipe(self.batcher)
        ClassPartition(get_router(self.router), self.tiers)


def partitioned(workload: Workload, fleet: Fleet, settings: PartitionedSettings) -> Policy:
    """Build the batcher and keep the classes apart.

    Raises
    ------
    InputError
        When the batcher cannot run there, or when some classes have names of tiers and others not.
    """
    built = get_recipe(settings.batcher).build(workload, fleet)
    tiers = settings.tiers or _by_name(workload, fleet)
    partition = ClassPartition(get_router(settings.router), tiers)
    shown = {**built.settings, "batcher": settings.batcher, "router": settings.router, "tiers": tiers}
    return replace(built, name="partitioned", route=partition, place=partition.place, settings=shown)


def _by_name(workload: Workload, fleet: Fleet) -> tuple[str, ...] | None:
    """Tiers with the names of the classes; None when no class has such a name."""
    tiers = {group.tier for group in fleet.groups}
    names = tuple(one.name for one in workload.classes)
    without = [name for name in names if name not in tiers]
    if len(without) == len(names):
        return None
    if without:
        raise InputError(f"partitioned: no group has the tier of class {without[0]!r}; name one, or set tiers")
    return names


SYSTEMS = (
    System("partitioned", "each workload class on the instances of its own tier", PartitionedSettings, partitioned),
)
