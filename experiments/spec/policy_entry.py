"""``[[policies]]``: who decides, as a batcher behind a router or as a fleet system."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import Field

from experiments.fleet.part import Text
from experiments.spec.named_entry import NamedEntry
from orsched.checks import has_control

if TYPE_CHECKING:
    from experiments.fleet.policy_table import PolicyTable


class PolicyEntry(NamedEntry):
    """``[[policies]]``: a policy with its defaults, or a fleet system with settings of its own."""

    name: Text
    """A name of `orsched list policies`, or a fleet system of `orsched fleet --list`."""
    label: Text | None = None
    """What tables call it; by default its name, with router and settings."""
    router: Text | None = None
    """With a policy: a name of `orsched list routers`, in place of the fleet's."""
    settings: dict[str, Any] = Field(default={})
    """With a fleet system: settings other than its defaults."""

    def __hash__(self) -> int:
        """Equal entries have equal hashes."""
        return hash((self.name, self.label, self.router, tuple(sorted(self.settings))))

    @property
    def is_system(self) -> bool:
        """Whether the name is that of a fleet system."""
        from policies.fleet_systems import fleet_system_names

        return self.name in fleet_system_names()

    @property
    def table(self) -> PolicyTable:
        """The same as a table of `orsched fleet`, which checks it."""
        from experiments.fleet.policy_table import PolicyTable

        return PolicyTable(name=self.name, router=self.router, settings=self.settings)

    @property
    def shown(self) -> str:
        """The label, given or made."""
        if self.label is not None:
            return self.label
        settings = ", ".join(f"{name}={_value(value)}" for name, value in sorted(self.settings.items()))
        return self.name + ("" if self.router is None else f"+{self.router}") + (f" ({settings})" if settings else "")


def _value(value: object) -> str:
    return value if isinstance(value, str) and not has_control(value) else json.dumps(value, default=str)
