"""What an experiment is: an inert, comparable value, read from TOML, that lists its tasks."""

from experiments.spec.experiment_spec import ExperimentSpec
from experiments.spec.fleet_entry import FleetEntry
from experiments.spec.policy_entry import PolicyEntry
from experiments.spec.reading import parsed_spec, read_spec, ready_names, ready_spec, recorded_spec
from experiments.spec.settings import Objective, Precision
from experiments.spec.workload_entry import WorkloadEntry

__all__ = [
    "ExperimentSpec",
    "FleetEntry",
    "Objective",
    "PolicyEntry",
    "Precision",
    "WorkloadEntry",
    "parsed_spec",
    "read_spec",
    "ready_names",
    "ready_spec",
    "recorded_spec",
]
