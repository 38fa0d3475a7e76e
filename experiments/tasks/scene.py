"""What a task simulates."""

from __future__ import annotations

from typing import NamedTuple

from numpy.random import SeedSequence

from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.workloads import Workload


class Scene(NamedTuple):
    """The arguments of `orsched.engine.simulation.simulate`, in its order.

    Parameters
    ----------
    workload, fleet, policy : Workload, Fleet, Policy
        What is served, by what, and who decides.
    seed : SeedSequence
        Of the policy's own random streams.
    """

    workload: Workload
    fleet: Fleet
    policy: Policy
    seed: SeedSequence
