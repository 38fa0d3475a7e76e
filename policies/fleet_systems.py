"""Fleet systems by name: what serves a fleet, as published, with settings that a specification may change."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orsched.errors import unknown_name
from policies import ares, distserve, llumnix, mooncake, partitioned, routed, slo_admission, splitwise
from policies.polyserve import polyserve
from policies.system import System


def fleet_system(name: str) -> System:
    """Look up a fleet system.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    """
    if not isinstance(name, str) or name not in SYSTEMS:
        raise unknown_name("fleet system", name, SYSTEMS)
    return SYSTEMS[name]


def fleet_system_names() -> list[str]:
    """Names of all fleet systems, sorted."""
    return sorted(SYSTEMS)


_HOMES = (ares, distserve, llumnix, mooncake, partitioned, polyserve, routed, slo_admission, splitwise)
"""Modules that end in ``SYSTEMS = (System(...), ...)``."""

SYSTEMS: Mapping[str, System] = MappingProxyType({system.name: system for home in _HOMES for system in home.SYSTEMS})
