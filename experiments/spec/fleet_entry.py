"""``[[fleets]]``: what serves, as identical instances or as groups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from experiments.fleet.fleet_tables import GroupTable, LinkTable, MigrationTable, is_hardware_file
from experiments.fleet.part import FileText, Text, path_text
from experiments.spec.listed import Listed
from experiments.spec.named_entry import NamedEntry
from orsched.group import MOST_INSTANCES

LEAST_MEMORY, MOST_MEMORY = 1e-3, 1e3
"""Smallest and largest multiple of the KV memory."""

OF_IDENTICAL = ("instances", "router")
"""Fields that go with `hardware` alone."""


class FleetEntry(NamedEntry):
    """``[[fleets]]``: identical instances and who routes to them, or groups of instances."""

    hardware: FileText | None = None
    """A name of `orsched list hardware`, or the path of a hardware file relative to the specification."""
    groups: Listed[GroupTable] | None = None
    """In place of `hardware`: groups as of `orsched fleet`, instances numbered group by group."""
    migration: MigrationTable | None = None
    """With `groups`: how running requests move between instances."""
    label: Text | None = None
    """What tables call it; by default what it is."""
    instances: Annotated[int, Field(ge=1, le=MOST_INSTANCES)] = 1
    """With `hardware`."""
    router: Text | None = None
    """With `hardware`: a name of `orsched list routers`; by default the policy's own, or ``jsq``."""
    kv_memory: Annotated[float, Field(ge=LEAST_MEMORY, le=MOST_MEMORY)] = 1.0
    """Multiple of the KV memory of each instance."""

    @model_validator(mode="after")
    def _one_form(self) -> FleetEntry:
        if self.groups is None:
            if self.hardware is None:
                raise PydanticCustomError("contradiction", "give hardware or groups")
            if self.migration is not None:
                raise PydanticCustomError("contradiction", "migration goes with groups, not with hardware")
            return self
        if self.hardware is not None:
            raise PydanticCustomError("contradiction", "hardware goes not with groups, which have their own; give one")
        for name in OF_IDENTICAL:
            if name in self.model_fields_set:
                instead = "give each group its size" if name == "instances" else "give policies their own"
                raise PydanticCustomError(
                    "contradiction",
                    "{name} goes with hardware, not with groups; {instead}",
                    {"name": name, "instead": instead},
                )
        return self

    @property
    def tables(self) -> tuple[GroupTable, ...]:
        """The groups; identical instances are one."""
        if self.groups is not None:
            return self.groups
        assert self.hardware is not None, "hardware or groups are given"
        return (GroupTable(hardware=self.hardware, size=self.instances),)

    @property
    def hardware_names(self) -> tuple[str, ...]:
        """What the instances are, one name per group."""
        return tuple(group.hardware for group in self.tables)

    @property
    def hardware_files(self) -> tuple[Path | None, ...]:
        """The hardware file of each group; None for a catalogue name."""
        return tuple(Path(name) if is_hardware_file(name) else None for name in self.hardware_names)

    def absolute(self, root: Path) -> FleetEntry:
        """The same fleet with hardware files made absolute: relative ones are below `root`."""
        names = [
            name if file is None else path_text(root / file)
            for name, file in zip(self.hardware_names, self.hardware_files, strict=True)
        ]
        if self.groups is None:
            return self.model_copy(update={"hardware": names[0]})
        groups = zip(self.groups, names, strict=True)
        return self.model_copy(
            update={"groups": tuple(group.model_copy(update={"hardware": name}) for group, name in groups)}
        )

    @property
    def shown(self) -> str:
        """The label, given or made."""
        if self.label is not None:
            return self.label
        memory = "" if self.kv_memory == 1 else f", {self.kv_memory:g} x KV memory"
        moves = "" if self.migration is None else _of_migration(self.migration)
        router = "" if self.router is None else f", {self.router}"
        return " + ".join(map(_of_group, self.tables)) + memory + moves + router


def _of_group(group: GroupTable) -> str:
    """What a reader must know to tell groups apart: every setting that is not the usual one."""
    name = Path(group.hardware).name if is_hardware_file(group.hardware) else group.hardware
    facts = [
        "" if group.role == "mixed" else group.role,
        "" if group.tier is None else f"tier {group.tier}",
        f"{group.off} off" if group.off else "",
        f"start-up {group.start_up_s:g} s" if group.start_up_s else "",
        "" if group.keeps_prefixes is None else f"{'keeps' if group.keeps_prefixes else 'forgets'} prefixes",
        _of_link(group.link),
    ]
    told = ", ".join(filter(None, facts))
    count = "" if group.size == 1 else f"{group.size} x "
    return count + name + (f" ({told})" if told else "")


def _of_link(link: LinkTable) -> str:
    speed = "" if link.bandwidth_gb_per_s is None else f"{link.bandwidth_gb_per_s:g} GB/s"
    latency = f"{link.latency_ms:g} ms" if link.latency_ms else ""
    return " ".join(filter(None, (speed, latency)))


def _of_migration(migration: MigrationTable) -> str:
    if migration == MigrationTable():
        return ""
    pause = f"{migration.downtime_ms:g} ms down"
    return f", moves in {migration.stages} stages to {migration.last_stage_tokens} tokens, {pause}"
