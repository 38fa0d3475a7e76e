"""The code of a policy that another distribution has added: part of the identity of the tasks that run it."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.tasks.code_version import fingerprint
from orsched.errors import InputError
from policies.fleet_systems import fleet_system_names
from policies.plugins import plugin, recipe_of
from policies.registry import RECIPES


def plugin_code(name: str) -> str | None:
    """Fingerprint of the package that a policy comes from; None for ours, which the version of the code covers.

    Raises
    ------
    InputError
        When it does not load, or several distributions claim the name.
    """
    found = None if name in RECIPES else plugin(name)
    if found is None:
        return None
    recipe_of(found)
    return fingerprint(found.entry.module.partition(".")[0])


def code_of(name: str, settings: Mapping[str, object]) -> str | None:
    """The same for a policy, or for the policies that the settings of a fleet system name; None where all are ours."""
    if name not in fleet_system_names():
        return plugin_code(name)
    parts = sorted({value for value in settings.values() if isinstance(value, str)})
    return " ".join(code for code in map(plugin_code, parts) if code is not None) or None


def require_code(name: str, settings: Mapping[str, object], code: str | None) -> None:
    """Refuse to compute with another version of a policy than the task was made with.

    Raises
    ------
    InputError
        When the policy installed here is another.
    """
    if code_of(name, settings) != code:
        raise InputError(f"policy {name!r}: its code here is not that of the experiment; install the same version")
