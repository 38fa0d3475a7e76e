"""The fluid path of a policy beside a simulated sample path of the same arrivals."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.comparison.build import Unavailable, built_policies
from experiments.comparison.experiment import Experiment
from experiments.comparison.fleet_facts import fleet_facts
from experiments.notebook import frames_html
from experiments.paths.sample_path import SamplePath, sample_path
from experiments.paths.streams import Stream, seed_sequence
from experiments.trajectory.arrivals import source_of_experiment
from fluid.trajectory import Inflow, RateProfile, TokenBudgetServer, Trajectory, trajectory
from orsched.errors import InputError
from orsched.fitting import usable_tokens
from orsched.fleet import Fleet
from orsched.group import Role
from orsched.policy import Policy
from orsched.work import Floats
from orsched.workloads import Workload
from policies.parts.token_budget import TokenBudget

if TYPE_CHECKING:
    import pandas as pd

POINTS = 600
"""Instants at which the two paths are compared and drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Following:
    """The result of ``orsched trajectory``.

    Parameters
    ----------
    workload, policy : str
        Names.
    fleet : Fleet
        What serves.
    seed : int
        Of the sample path.
    profile : RateProfile
        The arrival rate that the fluid follows.
    fluid : Trajectory
        The fluid path.
    simulated : SamplePath
        The simulated path.
    wall_s : float
        Seconds for both.
    """

    workload: str
    policy: str
    fleet: Fleet
    seed: int
    profile: RateProfile
    fluid: Trajectory
    simulated: SamplePath
    wall_s: float

    @property
    def times_s(self) -> Floats:
        """Instants at equal distances, from 0 to the last completion of the simulated path."""
        return np.linspace(0.0, self.simulated.end_s, POINTS)

    def levels(self) -> dict[str, dict[str, Floats]]:
        """Both paths at `times_s`: ``in_system`` and ``waiting`` (requests), ``kv_tokens`` (tokens)."""
        times = self.times_s
        return {
            "fluid": {
                "in_system": self.fluid.in_system_at(times),
                "waiting": self.fluid.waiting_at(times),
                "kv_tokens": self.fluid.kv_tokens_at(times),
            },
            "simulated": {
                "in_system": self.simulated.in_system_at(times),
                "waiting": self.simulated.waiting_at(times),
                "kv_tokens": self.simulated.kv_tokens_at(times),
            },
        }

    def means(self) -> dict[str, dict[str, float]]:
        """Averages of both paths over time."""
        return {
            path: {name: float(np.mean(values)) for name, values in levels.items()}
            for path, levels in self.levels().items()
        }

    def to_json(self) -> dict[str, Any]:
        """The document that ``--json`` prints."""
        profile = self.profile
        return {
            "workload": self.workload,
            **fleet_facts(self.fleet),
            "policy": self.policy,
            "seed": self.seed,
            "requests": len(self.simulated.run),
            "rates": {
                "starts_s": list(profile.starts_s),
                "rates_per_s": list(profile.rates_per_s),
                "period_s": profile.period_s,
                "end_s": None if math.isinf(profile.end_s) else profile.end_s,
            },
            "kv_capacity_tokens": self.fleet.size * usable_tokens(self.fleet.hardware),
            "times_s": self.times_s.tolist(),
            **{
                path: {name: values.tolist() for name, values in levels.items()}
                for path, levels in self.levels().items()
            },
            "means": self.means(),
            "wall_s": self.wall_s,
        }

    def frame(self) -> pd.DataFrame:
        """One row per instant of `times_s`; whatever else `to_json` has is in ``attrs``.

        Columns: t_s (seconds); for each path, ``fluid`` and ``simulated``, ``<path>_in_system`` and ``<path>_waiting``
        (requests) and ``<path>_kv_tokens`` (tokens of KV memory in use).
        """
        import pandas as pd

        columns = {
            f"{path}_{name}": values for path, levels in self.levels().items() for name, values in levels.items()
        }
        frame = pd.DataFrame({"t_s": self.times_s, **columns})
        apart = ("times_s", "fluid", "simulated")
        frame.attrs.update((key, value) for key, value in self.to_json().items() if key not in apart)
        return frame

    def _repr_html_(self) -> str:
        return frames_html({f"{self.policy} on {self.workload}, {self.fleet.name}": self.frame()})


def following(experiment: Experiment, workload: Workload, inflow: Inflow) -> Following:
    """Let the policy of an experiment serve a sample path, and follow the fluid of `inflow` for as long.

    Raises
    ------
    InputError
        When the policy is none that the fluid describes, or the fleet is not of identical instances that do everything.
    """
    fleet = experiment.fleet
    require_alike(fleet)
    (policy,) = built_policies(experiment, source_of_experiment(experiment).whole(), experiment.loads[0])
    if isinstance(policy, Unavailable):
        raise InputError(policy.reason)
    server = server_of(policy, fleet)
    start = time.perf_counter()
    simulated = sample_path(workload, fleet, policy, seed_sequence(experiment.seed, Stream.POLICY, 0))
    fluid = trajectory(inflow, server, simulated.end_s, instances=fleet.size)
    wall_s = time.perf_counter() - start
    return Following(workload.name, policy.name, fleet, experiment.seed, inflow.profile, fluid, simulated, wall_s)


def require_alike(fleet: Fleet) -> None:
    """Refuse a fleet that the fluid, which knows nothing but a number of identical servers, does not describe.

    Raises
    ------
    InputError
        When hardware or roles differ, or instances are switched off at first.
    """
    cause = ""
    if len(fleet.by_hardware()) > 1:
        cause = "several kinds of hardware"
    elif any(group.role is not Role.MIXED for group in fleet.groups):
        cause = "instances that only prefill or only decode"
    elif any(group.off for group in fleet.groups):
        cause = "instances that are switched off at first"
    if cause:
        raise InputError(f"fleet {fleet.name} has no fluid path here: it has {cause}; give identical, mixed instances")


def server_of(policy: Policy, fleet: Fleet) -> TokenBudgetServer:
    """The limits under which the fluid follows a policy.

    Raises
    ------
    InputError
        When the policy is not first come first served under one token budget.
    """
    rule = policy.batch
    if not isinstance(rule, TokenBudget):
        raise InputError(
            f"policy {policy.name!r} has no fluid path here: it must be first come first served under one token "
            "budget; give vllm-v1 or sarathi"
        )
    hw = fleet.hardware
    return TokenBudgetServer(
        service=hw.service,
        kv_capacity_tokens=usable_tokens(hw),
        max_num_seqs=min(rule.max_num_seqs, hw.max_num_seqs),
        max_num_batched_tokens=rule.max_num_batched_tokens,
        watermark=rule.watermark,
        block_tokens=hw.block_tokens,
    )
