"""How to build a policy for a workload and a fleet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orsched.checks import check_is, has_control, shown
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Information, Policy
from orsched.workloads import Workload

MOST_DESCRIBED = 200
"""Most characters of a description."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named way to build a policy with its defaults.

    Parameters
    ----------
    name : str
        The policy's name.
    description : str
        One line of at most `MOST_DESCRIBED` characters, none of them a control character: version and defaults.
    information : Information
        What it may know about output lengths.
    build : callable
        ``build(workload, fleet) -> Policy``. `workload` represents the law at the target load: class rates and bins
        may be learnt from it, the sample path to be served may not. Raises InputError when the policy cannot run.

    Raises
    ------
    InputError
        Naming the field that is not so.
    """

    name: str
    description: str
    information: Information
    build: Callable[[Workload, Fleet], Policy]

    def __post_init__(self) -> None:
        for field in ("name", "description"):
            check_is(self, field, str)
        if not self.name.strip() or has_control(self.name):
            raise InputError(f"Recipe.name = {shown(self.name)}: must be a text without control characters, not empty")
        if has_control(self.description) or len(self.description) > MOST_DESCRIBED:
            raise InputError(
                f"Recipe.description = {shown(self.description)}: must be one line of at most {MOST_DESCRIBED} "
                "characters, without control characters"
            )
        check_is(self, "information", Information)
        if not callable(self.build):
            raise InputError(f"Recipe.build = {shown(self.build)}: must be a function of a workload and a fleet")


def fixed(make: Callable[[], Policy], description: str) -> Recipe:
    """A recipe for a policy whose defaults do not depend on the workload."""
    policy = make()
    return Recipe(policy.name, description, policy.information, lambda workload, fleet: policy)
