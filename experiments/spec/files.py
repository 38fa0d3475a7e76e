"""Which names of a specification are files, and where they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orsched.workloads.files import FORMATS

if TYPE_CHECKING:
    from experiments.spec.entries import FleetEntry, WorkloadEntry
    from experiments.spec.experiment_spec import ExperimentSpec

HARDWARE_ENDING = ".toml"


def workload_file(entry: WorkloadEntry) -> Path | None:
    """The trace file that an entry names; None for a catalogue name."""
    return Path(entry.name) if entry.name.lower().endswith(tuple(FORMATS)) else None


def hardware_file(entry: FleetEntry) -> Path | None:
    """The hardware file that an entry names; None for a catalogue name."""
    return Path(entry.hardware) if entry.hardware.endswith(HARDWARE_ENDING) else None


def with_absolute_files(spec: ExperimentSpec, folder: Path) -> ExperimentSpec:
    """The specification with files made absolute: relative ones are below `folder`."""
    root = folder.absolute()
    workloads = tuple(
        entry if (file := workload_file(entry)) is None else entry.model_copy(update={"name": str(root / file)})
        for entry in spec.workloads
    )
    fleets = tuple(
        entry if (file := hardware_file(entry)) is None else entry.model_copy(update={"hardware": str(root / file)})
        for entry in spec.fleets
    )
    return spec.model_copy(update={"workloads": workloads, "fleets": fleets})
