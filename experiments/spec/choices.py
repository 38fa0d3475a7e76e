"""The axes of a specification as the plain values that tasks are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import policies
from experiments.spec.entries import FleetEntry, PolicyEntry, WorkloadEntry
from experiments.spec.files import hardware_file, workload_file
from experiments.tasks.file_content import content_of
from experiments.tasks.fleet_choice import FleetChoice
from experiments.tasks.plugin_code import plugin_code
from experiments.tasks.policy_choice import PolicyChoice
from experiments.tasks.workload_choice import WorkloadChoice
from orsched.policy import Information

if TYPE_CHECKING:
    from experiments.spec.experiment_spec import ExperimentSpec


@dataclass(frozen=True, slots=True)
class NamedFleet:
    """A fleet with its label and router."""

    label: str
    choice: FleetChoice
    router: str | None


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy with its label, whether it uses output lengths at all, and its code if it is not ours."""

    label: str
    name: str
    informed: bool
    code: str | None

    def choice(self, predictor: str, router: str | None) -> PolicyChoice:
        """The policy of a task: a predictor is part of it only where it is asked."""
        asked = self.informed and predictor != "none"
        return PolicyChoice(self.name, predictor if asked else None, router, self.code)


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes in the order of the specification."""

    workloads: tuple[tuple[str, WorkloadChoice], ...]
    fleets: tuple[NamedFleet, ...]
    policies: tuple[NamedPolicy, ...]
    token_gaps: bool


def axes_of(spec: ExperimentSpec) -> Axes:
    """Look up what decides the identity of tasks: contents of files, what policies know.

    Raises
    ------
    InputError
        When a file cannot be read or a policy is unknown.
    """
    return Axes(
        tuple((entry.shown, workload_choice(entry)) for entry in spec.workloads),
        tuple(NamedFleet(entry.shown, fleet_choice(entry), entry.router) for entry in spec.fleets),
        tuple(_policy(entry) for entry in spec.policies),
        any(name.startswith("itl_p") for name in spec.metrics),
    )


def workload_choice(entry: WorkloadEntry) -> WorkloadChoice:
    """The workload of a task."""
    file = workload_file(entry)
    content = None if file is None else content_of(file)
    return WorkloadChoice(entry.name, content, entry.drop_oversized, entry.arrivals, entry.cv)


def fleet_choice(entry: FleetEntry) -> FleetChoice:
    """The fleet of a task."""
    file = hardware_file(entry)
    content = None if file is None else content_of(file)
    return FleetChoice(entry.hardware, content, entry.instances, entry.kv_memory)


def _policy(entry: PolicyEntry) -> NamedPolicy:
    informed = policies.get_recipe(entry.name).information > Information.NONE
    return NamedPolicy(entry.shown, entry.name, informed, plugin_code(entry.name))
