"""The axes of a specification as the plain values that tasks are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import policies
from experiments.fleet.fleet_tables import MigrationTable
from experiments.fleet.policy_table import built_settings
from experiments.spec.fleet_entry import FleetEntry
from experiments.spec.policy_entry import PolicyEntry
from experiments.spec.workload_entry import WorkloadEntry
from experiments.tasks.file_content import content_of
from experiments.tasks.fleet_choice import FleetChoice
from experiments.tasks.plugin_code import code_of
from experiments.tasks.policy_choice import PolicyChoice
from experiments.tasks.system_settings import chosen_settings
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
    """A policy with its label, what is chosen of it, and whether it may use output lengths at all."""

    label: str
    asked: PolicyChoice
    informed: bool

    def choice(self, predictor: str, router: str | None) -> PolicyChoice:
        """The policy of a task: a predictor is part of it only where it is asked, the fleet's router only if none."""
        asked = self.informed and predictor != "none"
        return self.asked.with_defaults(predictor if asked else None, router)


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
        When a file cannot be read, a policy is unknown or its settings are wrong.
    """
    return Axes(
        tuple((entry.shown, workload_choice(entry)) for entry in spec.workloads),
        tuple(NamedFleet(entry.shown, fleet_choice(entry), entry.router) for entry in spec.fleets),
        tuple(_policy(entry) for entry in spec.policies),
        any(name.startswith("itl_p") for name in spec.metrics),
    )


def workload_choice(entry: WorkloadEntry) -> WorkloadChoice:
    """The workload of a task."""
    content = None if entry.file is None else content_of(entry.file)
    return WorkloadChoice(entry.name, content, entry.drop_oversized, entry.arrivals, entry.cv, entry.tier_rule)


def fleet_choice(entry: FleetEntry) -> FleetChoice:
    """The fleet of a task."""
    contents = tuple(None if file is None else content_of(file) for file in entry.hardware_files)
    return FleetChoice(entry.tables, contents, entry.migration or MigrationTable(), entry.kv_memory)


def uses_lengths(entry: PolicyEntry) -> bool:
    """Whether a policy may use output lengths; of a fleet system its settings decide.

    Raises
    ------
    InputError
        When there is no such policy, or its settings are wrong.
    """
    if entry.is_system:
        system = policies.fleet_system(entry.name)
        return system.uses_lengths(built_settings(system, entry.settings))
    return policies.get_recipe(entry.name).information > Information.NONE


def _policy(entry: PolicyEntry) -> NamedPolicy:
    settings = chosen_settings(entry.name, entry.settings) if entry.is_system else "{}"
    chosen = PolicyChoice(entry.name, None, entry.router, settings, code_of(entry.name, entry.settings))
    return NamedPolicy(entry.shown, chosen, uses_lengths(entry))
