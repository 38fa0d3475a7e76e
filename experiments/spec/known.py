"""Whether the names of a specification exist, and whether its parts go together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING

from orsched.errors import InputError, UnknownNameError, unknown_name

if TYPE_CHECKING:
    from experiments.spec.experiment_spec import ExperimentSpec
    from experiments.spec.fleet_entry import FleetEntry
    from experiments.spec.policy_entry import PolicyEntry
    from experiments.spec.workload_entry import WorkloadEntry
    from orsched.fleet import Fleet


def require_known(spec: ExperimentSpec) -> None:
    """Refuse unknown names, missing files and loads of fleets that have none, without opening a trace.

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
            built = _known_fleet(fleet)
            if spec.axis != "rate_per_s":
                _require_load(built)
    informed = False
    for place, policy in enumerate(spec.policies):
        informed |= _uses_lengths(place, policy)
    _require_routers(spec)
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
    from fluid.subject import require_bounded

    for (row, workload), (column, fleet) in product(enumerate(spec.workloads), enumerate(spec.fleets)):
        with _named(f"workloads.{row} on fleets.{column}"):
            chosen = fleet_choice(fleet)
            whole = source_for(workload_choice(workload), chosen).whole()
            if spec.bounds != "none":
                require_bounded(whole, chosen.fleet(), "set bounds = 'none', or keeps_prefixes = false in the groups")
        for place, predictor in enumerate(spec.predictors):
            if predictor != "none":
                with _named(f"predictors.{place}"):
                    policies.build_predictor(predictor, whole)


def _require_workload(entry: WorkloadEntry) -> None:
    from orsched.workloads.catalogue import workload_names

    if entry.file is None and entry.name not in workload_names():
        raise unknown_name("workload", entry.name, workload_names())
    if entry.file is not None and not entry.file.is_file():
        raise InputError(f"{entry.file}: there is no such file")


def _known_fleet(entry: FleetEntry) -> Fleet:
    import policies
    from experiments.spec.choices import fleet_choice

    for place, file in enumerate(entry.hardware_files):
        if file is not None and not file.is_file():
            group = "" if entry.groups is None else f"groups.{place}."
            raise InputError(f"{group}hardware = {str(file)!r}: there is no such file")
    if entry.router is not None:
        policies.get_router(entry.router)
    try:
        return fleet_choice(entry).fleet()
    except InputError as error:
        if entry.groups is None:  # the field of the group which the specification does not have
            raise InputError(str(error).removeprefix("groups.0.")) from None
        raise


def _require_load(fleet: Fleet) -> None:
    kinds = fleet.by_hardware()
    if len(kinds) > 1:
        names = ", ".join(kind.hardware.name for kind in kinds)
        raise InputError(
            f"mixes hardware ({names}), and the load programme is about identical instances: give rates_per_s"
        )


def _uses_lengths(place: int, entry: PolicyEntry) -> bool:
    import policies
    from experiments.spec.choices import uses_lengths

    with _named(f"policies.{place}.name"):
        try:
            informed = not entry.is_system and uses_lengths(entry)
        except UnknownNameError:
            known = {*policies.policy_names(), *policies.fleet_system_names()}
            raise unknown_name("policy", entry.name, known) from None
    with _named(f"policies.{place}"):
        entry.table.chosen_settings()
        return informed or uses_lengths(entry)


def _require_routers(spec: ExperimentSpec) -> None:
    """A fleet's router would be ignored by a system that has its own."""
    for (row, policy), (column, fleet) in product(enumerate(spec.policies), enumerate(spec.fleets)):
        if policy.is_system and fleet.router is not None:
            raise InputError(
                f"fleets.{column}.router = {fleet.router!r}: policies.{row} ({policy.name}) is a fleet system, which "
                "routes itself; give the other policies their router instead"
            )


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
