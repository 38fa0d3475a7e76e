"""Fleets: which instances serve the workload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from orsched.catalogue import Hardware
from orsched.checks import check_is
from orsched.errors import InputError
from orsched.group import MOST_INSTANCES, Group, Role
from orsched.link import StagedCopy


@dataclass(frozen=True, slots=True)
class Fleet:
    """Groups of instances, connected by their links.

    Instances are numbered group by group, from 0. Most fleets are one group: `Fleet.single`, `Fleet.identical`.

    Parameters
    ----------
    groups : tuple of Group
        At least one; at least one instance must take new requests.
    migration : StagedCopy
        How running requests move between instances.

    Examples
    --------
    >>> from orsched import Fleet, Group, hardware
    >>> gpu = hardware("reference")
    >>> Fleet((Group(gpu, 2, "prefill"), Group(gpu, 3, "decode"))).name
    '2x reference (prefill) + 3x reference (decode)'
    """

    groups: tuple[Group, ...]
    migration: StagedCopy = field(default_factory=StagedCopy)

    def __post_init__(self) -> None:
        if not isinstance(self.groups, tuple) or not self.groups or not all(isinstance(g, Group) for g in self.groups):
            raise InputError(f"Fleet.groups = {self.groups!r}: must be a tuple of at least one Group")
        if self.size > MOST_INSTANCES:
            raise InputError(f"Fleet has {self.size:,} instances: at most {MOST_INSTANCES:,}")
        if all(group.role is Role.DECODE for group in self.groups):
            raise InputError("Fleet.groups: every group decodes only, so that nobody takes new requests")
        check_is(self, "migration", StagedCopy)

    @classmethod
    def single(cls, hardware: Hardware) -> Fleet:
        """One instance."""
        return cls.identical(hardware)

    @classmethod
    def identical(cls, hardware: Hardware, size: int = 1) -> Fleet:
        """`size` instances of the same `hardware` that all do everything."""
        return cls((Group(hardware, size),))

    @property
    def size(self) -> int:
        """Number of instances."""
        return sum(group.size for group in self.groups)

    @property
    def hardware(self) -> Hardware:
        """What every instance is, as `by_hardware` has it.

        Raises
        ------
        InputError
            When they are not all the same: ask group by group, or use `by_hardware`.
        """
        if len(self.groups) == 1:
            return self.groups[0].hardware
        kinds = self.by_hardware()
        if len(kinds) > 1:
            names = ", ".join(kind.hardware.name for kind in kinds)
            raise InputError(f"the fleet mixes hardware ({names}): this needs identical instances")
        return kinds[0].hardware

    @property
    def name(self) -> str:
        """Label in tables: its groups, with the number of instances when there are several."""
        return " + ".join(group.name for group in self.groups)

    def by_hardware(self) -> list[Fleet]:
        """One fleet of identical instances per kind of hardware, for programmes that count servers.

        A kind is what decides times and limits: service model, KV memory and its blocks, batch limit, retention of KV.
        Its name is that of its first group, and it keeps prefixes if any of its groups does. Roles, tiers and links are
        left out.
        """
        kinds: list[tuple[Hardware, int]] = []
        for group in self.groups:
            known = next((i for i, (hardware, _) in enumerate(kinds) if _alike(hardware, group.hardware)), None)
            if known is None:
                kinds.append((group.hardware, group.size))
            else:
                first, size = kinds[known]
                if group.hardware.keeps_prefixes and not first.keeps_prefixes:
                    first = replace(first, keeps_prefixes=True)
                kinds[known] = (first, size + group.size)
        return [Fleet.identical(hardware, size) for hardware, size in kinds]

    def instances(self) -> Iterator[Group]:
        """Yield the group of each instance, in the order of their numbers."""
        for group in self.groups:
            for _ in range(group.size):
                yield group


def _alike(one: Hardware, other: Hardware) -> bool:
    return one.service == other.service and _limits(one) == _limits(other)


def _limits(one: Hardware) -> tuple[int, ...]:
    return one.kv_capacity_tokens, one.max_num_seqs, one.block_tokens, one.keeps_preempted_kv
