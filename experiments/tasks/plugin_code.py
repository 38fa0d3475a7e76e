"""The code of a policy that another distribution has added: part of the identity of the tasks that run it."""

from __future__ import annotations

from experiments.tasks.code_version import fingerprint
from orsched.errors import InputError
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


def require_plugin_code(name: str, code: str | None) -> None:
    """Refuse to compute with another version of a policy than the task was made with.

    Raises
    ------
    InputError
        When the policy installed here is another.
    """
    if plugin_code(name) != code:
        raise InputError(f"policy {name!r}: its code here is not that of the experiment; install the same version")
