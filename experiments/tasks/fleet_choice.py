"""Which instances serve a task, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from experiments.fleet.fleet_tables import GroupTable, MigrationTable, fleet_of
from experiments.tasks.file_content import require_content
from orsched.catalogue import Hardware
from orsched.fleet import Fleet


@dataclass(frozen=True, slots=True)
class FleetChoice:
    """Groups of instances; identical ones are a single group.

    Parameters
    ----------
    groups : tuple of GroupTable
        As in a specification; files of hardware are absolute.
    contents : tuple of (str or None)
        For each group, hash of its hardware file; None for a catalogue name.
    migration : MigrationTable
        How running requests move.
    kv_memory : float
        Multiple of the KV tokens that each instance holds.
    """

    groups: tuple[GroupTable, ...]
    contents: tuple[str | None, ...]
    migration: MigrationTable
    kv_memory: float = 1.0

    @property
    def facts(self) -> dict[str, object]:
        """What decides how fast it is and what it holds."""
        groups = [
            group.model_dump()
            | {"hardware": group.hardware if content is None else content, "hardware_file": content is not None}
            for group, content in zip(self.groups, self.contents, strict=True)
        ]
        return {"groups": groups, "migration": self.migration.model_dump(), "kv_memory": self.kv_memory}

    def fleet(self) -> Fleet:
        """What the engine takes; kept per process.

        Raises
        ------
        InputError
            When the hardware is unknown, its file has changed, the memory is less than one block, or the groups do not
            make a fleet.
        """
        return _fleet(self)

    @property
    def has_load(self) -> bool:
        """Whether loads are defined on it: the load programme is about hardware of one kind."""
        return len(self.fleet().by_hardware()) == 1


@lru_cache(maxsize=32)
def _fleet(choice: FleetChoice) -> Fleet:
    for group, content in zip(choice.groups, choice.contents, strict=True):
        if content is not None:
            require_content(Path(group.hardware), content)
    found = fleet_of(choice.groups, choice.migration, Path(), "groups")
    if choice.kv_memory == 1:
        return found
    groups = tuple(replace(group, hardware=_enlarged(group.hardware, choice.kv_memory)) for group in found.groups)
    return Fleet(groups, found.migration)


def _enlarged(hardware: Hardware, factor: float) -> Hardware:
    tokens = max(1, round(factor * hardware.kv_capacity_tokens))
    return replace(hardware, name=f"{hardware.name} ({factor:g} x KV memory)", kv_capacity_tokens=tokens)
