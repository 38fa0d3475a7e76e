"""Settings of a fleet system as canonical text: equal where they mean the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from experiments.fleet.policy_table import built_settings
from experiments.tasks.identity import canonical
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.workloads import Workload
from policies.fleet_systems import fleet_system


def chosen_settings(name: str, given: Mapping[str, Any]) -> str:
    """What is given beyond the defaults of a fleet system, as JSON with sorted keys.

    Raises
    ------
    InputError
        Naming the setting that is unknown or wrong.
    """
    system = fleet_system(name)
    chosen, usual = built_settings(system, dict(given)), system.settings()
    values = TypeAdapter(system.settings).dump_python(chosen, mode="json")
    return canonical({key: values[key] for key in given if getattr(chosen, key) != getattr(usual, key)})


def built_system(name: str, settings: str, tuned_on: Workload, fleet: Fleet) -> Policy:
    """Build a fleet system with the settings of `chosen_settings`.

    Raises
    ------
    InputError
        When it cannot run there.
    """
    system = fleet_system(name)
    return system.build(tuned_on, fleet, built_settings(system, json.loads(settings)))
