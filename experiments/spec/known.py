"""Whether the names of a specification exist, and whether its requests fit on its fleets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING

from experiments.spec.files import hardware_file, workload_file
from orsched.errors import InputError, unknown_name

if TYPE_CHECKING:
    from experiments.spec.entries import FleetEntry, PolicyEntry, WorkloadEntry
    from experiments.spec.experiment_spec import ExperimentSpec


def require_known(spec: ExperimentSpec) -> None:
    """Refuse unknown names and missing files, without opening a trace.

    Raises
    ------
    InputError
        Naming the field; unknown names with the nearest known.
    """
    for place, workload in enumerate(spec.workloads):
        with _named(f"workloads.{place}.name"):
            _require_workload(workload)
    for place, fleet in enumerate(spec.fleets):
        with _named(f"fleets.{place}"):
            _require_fleet(fleet)
    informed = False
    for place, policy in enumerate(spec.policies):
        with _named(f"policies.{place}.name"):
            informed |= _uses_lengths(policy)
    for place, predictor in enumerate(spec.predictors):
        with _named(f"predictors.{place}"):
            _require_predictor(predictor, informed)


def require_fitting(spec: ExperimentSpec) -> None:
    """Refuse traces that cannot be read, requests that no instance can hold, and wrong parameters of predictors.

    Raises
    ------
    InputError
        Naming the field.
    """
    import policies
    from experiments.spec.choices import fleet_choice, workload_choice
    from experiments.tasks.workload_choice import source_for

    for (row, workload), (column, fleet) in product(enumerate(spec.workloads), enumerate(spec.fleets)):
        with _named(f"workloads.{row} on fleets.{column}"):
            whole = source_for(workload_choice(workload), fleet_choice(fleet)).whole()
        for place, predictor in enumerate(spec.predictors):
            if predictor != "none":
                with _named(f"predictors.{place}"):
                    policies.build_predictor(predictor, whole)


def _require_workload(entry: WorkloadEntry) -> None:
    from orsched.workloads.catalogue import workload_names

    file = workload_file(entry)
    if file is None and entry.name not in workload_names():
        raise unknown_name("workload", entry.name, workload_names())
    if file is not None and not file.is_file():
        raise InputError(f"{file}: there is no such file")


def _require_fleet(entry: FleetEntry) -> None:
    import policies
    from experiments.spec.choices import fleet_choice

    file = hardware_file(entry)
    if file is not None and not file.is_file():
        raise InputError(f"hardware = {str(file)!r}: there is no such file")
    fleet_choice(entry).fleet()
    if entry.router is not None:
        policies.get_router(entry.router)


def _uses_lengths(entry: PolicyEntry) -> bool:
    import policies
    from orsched.policy import Information

    return policies.get_recipe(entry.name).information > Information.NONE


def _require_predictor(text: str, informed: bool) -> None:
    import policies

    if text == "none":
        return
    kind = text.partition(":")[0].strip()
    if kind not in policies.PREDICTORS:
        raise unknown_name("predictor", kind, {"none", *policies.PREDICTORS})
    if not informed:
        raise InputError(f"{text!r} changes nothing: no policy of the experiment uses output lengths")


@contextmanager
def _named(field: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{field}: {error}") from None
