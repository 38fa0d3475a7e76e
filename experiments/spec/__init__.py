"""What an experiment is: an inert, comparable value, read from TOML, that lists its tasks."""

from experiments.spec.entries import FleetEntry, PolicyEntry, WorkloadEntry
from experiments.spec.experiment_spec import ExperimentSpec
from experiments.spec.reading import parsed_spec, read_spec, ready_names, ready_spec, recorded_spec
from experiments.spec.settings import Objective, Precision

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
