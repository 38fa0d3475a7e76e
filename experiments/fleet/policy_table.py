"""The table of a specification that says who decides, and its settings checked against the system's own."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from experiments.fleet.part import Part, Text, hint
from orsched.checks import shown
from orsched.errors import InputError, unknown_name
from orsched.toml_file import explain, printed
from policies.fleet_systems import fleet_system, fleet_system_names
from policies.registry import get_router, policy_names
from policies.system import System

ROUTED = "routed"
"""The system that is put together from a batcher and a router."""


class PolicyTable(Part):
    """``[policy]`` or ``[[policy]]``: a fleet system, or a batcher with its router."""

    name: Text
    label: Text | None = None
    """What it is called in tables; by default its name, with the router of a batcher."""
    router: Text | None = None
    """With the name of a batcher: who routes."""
    predictor: Text | None = None
    settings: dict[str, Any] = Field(default={})

    @property
    def is_batcher(self) -> bool:
        """Whether the name is that of a batcher, which the system `ROUTED` puts behind a router."""
        return self.name in policy_names() and self.name not in fleet_system_names()

    @property
    def shown_name(self) -> str:
        """The label, given or made."""
        if self.label is not None:
            return self.label
        return f"{self.name}+{self.router or 'jsq'}" if self.is_batcher else self.name

    def system(self) -> System:
        """The system meant.

        Raises
        ------
        UnknownNameError
            When there is neither a fleet system nor a batcher of that name.
        """
        if self.is_batcher:
            return fleet_system(ROUTED)
        if self.name not in fleet_system_names():
            raise unknown_name("fleet system or batcher", self.name, {*fleet_system_names(), *policy_names()})
        return fleet_system(self.name)

    def chosen_settings(self) -> Any:
        """An instance of the system's settings with the values given.

        Raises
        ------
        InputError
            Naming the field that is unknown, has a wrong type or value, or goes not with the system.
        """
        system = self.system()
        if self.is_batcher:
            if self.settings:
                raise InputError(
                    f"settings.{printed(next(iter(self.settings)))}: a batcher with a router has no settings"
                )
            if self.router is not None:
                _require_router(self.router)
            return built_settings(system, {"batcher": self.name, "router": self.router or "jsq"})
        if self.router is not None:
            raise InputError(f"router = {self.router!r}: goes with a batcher; {self.name!r} is a fleet system")
        return built_settings(system, self.settings)


def _require_router(name: str) -> None:
    try:
        get_router(name)
    except InputError as error:
        raise InputError(f"router: {error}") from None


def built_settings(system: System, given: dict[str, Any]) -> Any:
    """Build the settings of a system from the values of a file: strict types, lists for tuples, names for enumerations.

    Raises
    ------
    InputError
        Naming the setting.
    """
    known = [field.name for field in fields(system.settings)]
    for name in given:
        if name not in known:
            raise InputError(f"settings.{printed(name)}: unknown setting of {system.name!r}; {hint(name, known)}")
    _require_plain("settings", given)
    try:
        return TypeAdapter(system.settings).validate_json(json.dumps(given), strict=True)
    except ValidationError as error:
        own = error.errors()[0].get("ctx", {}).get("error")  # what the settings' own checks have said
        raise InputError(f"settings: {own}" if own is not None else f"settings.{explain(error)}") from None


def _require_plain(name: str, value: Any) -> None:
    """Refuse what JSON cannot carry: dates, and numbers that are none."""
    if isinstance(value, dict):
        for key, item in value.items():
            _require_plain(f"{name}.{printed(key)}", item)
    elif isinstance(value, list):
        for item in value:
            _require_plain(name, item)
    elif not isinstance(value, bool | int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(
            f"{name} = {shown(value)}: must be a truth value, a finite number, a string or a list of these"
        )
