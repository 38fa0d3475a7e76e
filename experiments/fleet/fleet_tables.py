"""The tables of a specification that say what serves: groups of instances, their links, how requests migrate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from experiments.fleet.hand_over import has_roles, require_one_model, require_sendable
from experiments.fleet.part import FileText, Part, Seconds, Text
from orsched.catalogue import Hardware, hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import MOST_INSTANCES, Group, Role
from orsched.hardware_file import read_hardware
from orsched.link import Link, StagedCopy

GIGABYTE = 1e9
MILLISECOND = 1e-3

HARDWARE_ENDING = ".toml"
"""How the name of a hardware file ends, in small letters."""


def is_hardware_file(name: str) -> bool:
    """Whether the name of hardware is that of a file."""
    return name.lower().endswith(HARDWARE_ENDING)


class LinkTable(Part):
    """``[group.link]``: the connection of each instance of a group to the others."""

    bandwidth_gb_per_s: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """In each direction, 1e9 bytes per second; left out: transfers take no time beyond the latency."""
    latency_ms: Annotated[float, Field(ge=0, le=1e7)] = 0.0

    def link(self) -> Link:
        """What the engine takes."""
        latency_s = self.latency_ms * MILLISECOND
        if self.bandwidth_gb_per_s is None:
            return Link(latency_s=latency_s)
        return Link(self.bandwidth_gb_per_s * GIGABYTE, latency_s)


class GroupTable(Part):
    """``[[group]]``: identical instances with one role."""

    hardware: FileText
    """Catalogue name, a model on a chip to compose, or the path of a hardware file relative to the specification."""
    size: Annotated[int, Field(ge=1, le=MOST_INSTANCES)] = 1
    role: Literal["mixed", "prefill", "decode"] = "mixed"
    tier: Text | None = None
    off: Annotated[int, Field(ge=0, le=MOST_INSTANCES)] = 0
    start_up_s: Seconds = 0.0
    keeps_prefixes: bool | None = None
    """Whether prompts share the KV of common prefixes; left out: as the hardware has it."""
    link: LinkTable = LinkTable()

    def group(self, folder: Path) -> Group:
        """What the engine takes; paths are relative to `folder`."""
        found = self._hardware(folder)
        if self.keeps_prefixes is not None:
            keeps = found.keeps_preempted_kv or self.keeps_prefixes
            found = replace(found, keeps_prefixes=self.keeps_prefixes, keeps_preempted_kv=keeps)
        if self.off > self.size:
            raise InputError(f"off = {self.off}: must be at most its size, {self.size}")
        return Group(found, self.size, Role(self.role), self.tier, self.off, self.start_up_s, self.link.link())

    def _hardware(self, folder: Path) -> Hardware:
        try:
            return read_hardware(folder / self.hardware) if is_hardware_file(self.hardware) else hardware(self.hardware)
        except InputError as error:
            raise InputError(f"hardware: {error}") from None


class MigrationTable(Part):
    """``[migration]``: how running requests move between instances; see `orsched.link.StagedCopy`."""

    stages: Annotated[int, Field(ge=0, le=1_000)] = 3
    last_stage_tokens: Annotated[int, Field(ge=0, le=10**9)] = 256
    downtime_ms: Annotated[float, Field(ge=0, le=1e7)] = 0.0

    def staged_copy(self) -> StagedCopy:
        """What the engine takes."""
        return StagedCopy(self.stages, self.last_stage_tokens, self.downtime_ms * MILLISECOND)


def fleet_of(groups: Sequence[GroupTable], migration: MigrationTable, folder: Path, field: str = "group") -> Fleet:
    """Build the fleet.

    Parameters
    ----------
    groups, migration
        The tables.
    folder : Path
        What their paths are relative to.
    field : str
        What the groups are called in the specification, for errors.

    Raises
    ------
    InputError
        Naming the group that cannot be built, or when the groups do not make a fleet.
    """
    built = []
    for place, table in enumerate(groups):
        try:
            built.append(table.group(folder))
        except InputError as error:
            raise InputError(f"{field}.{place}.{error}") from None
    if all(group.role is Role.DECODE for group in built):
        raise InputError(f"{field}: every group decodes only, so that nobody takes new requests")
    if all(group.role is Role.PREFILL for group in built):
        raise InputError(f"{field}: every group prefills only, so that nobody decodes")
    try:
        found = Fleet(tuple(built), migration.staged_copy())
    except InputError as error:
        raise InputError(f"{field}: {error}") from None
    if has_roles(found):
        require_one_model(found, "roles hand requests from group to group", field)
        require_sendable(found, field)
    elif migration != MigrationTable():
        require_one_model(found, "[migration] moves requests between groups", field)
    return found
