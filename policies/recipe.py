"""How to build a policy for a workload and a fleet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orsched.fleet import Fleet
from orsched.policy import Information, Policy
from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named way to build a policy with its defaults.

    Parameters
    ----------
    name : str
        The policy's name.
    description : str
        One line: version and defaults.
    information : Information
        What it may know about output lengths.
    build : callable
        ``build(workload, fleet) -> Policy``. `workload` represents the law at the target load: class rates and bins
        may be learnt from it, the sample path to be served may not. Raises InputError when the policy cannot run.
    """

    name: str
    description: str
    information: Information
    build: Callable[[Workload, Fleet], Policy]


def fixed(make: Callable[[], Policy], description: str) -> Recipe:
    """A recipe for a policy whose defaults do not depend on the workload."""
    policy = make()
    return Recipe(policy.name, description, policy.information, lambda workload, fleet: policy)
