"""The fleet that an experiment is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orsched.errors import InputError

if TYPE_CHECKING:
    from orsched.catalogue import Hardware
    from orsched.fleet import Fleet
    from orsched.request import SLO


def fleet_of(hardware: str | Path | Hardware | Fleet, instances: int = 1) -> Fleet:
    """Find the fleet: `instances` of one entry, or a fleet as it is.

    Raises
    ------
    UnknownNameError
        For an unknown entry.
    InputError
        For an impossible number of instances, and for any number beside a fleet, which says itself how many it has.
    """
    from orsched.fleet import Fleet

    if isinstance(hardware, Fleet):
        if instances != 1:
            raise InputError(f"--instances {instances}: the fleet given has {hardware.size} instances already")
        return hardware
    return Fleet.identical(entry_of(hardware), instances)


def entry_of(hardware: str | Path | Hardware) -> Hardware:
    """Find the entry of that name or file; an entry is taken as it is."""
    from orsched import catalogue

    if isinstance(hardware, catalogue.Hardware):
        return hardware
    return catalogue.hardware(str(hardware) if isinstance(hardware, Path) else hardware)


def slo_of(ttft_s: float | None, tpot_s: float | None) -> SLO | None:
    """An objective from two options that come together or not at all; raises InputError for one alone."""
    from orsched.request import SLO

    if ttft_s is None and tpot_s is None:
        return None
    if ttft_s is None or tpot_s is None:
        raise InputError("an SLO needs both --slo-ttft and --slo-tpot")
    return SLO(ttft_s, tpot_s)
