"""The experiment that ``orsched fleet`` is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orsched.errors import InputError, OrschedError

if TYPE_CHECKING:
    from experiments.fleet.spec import FleetExperiment


def specification_name(spec: str | Path | FleetExperiment | None, name: str | None) -> str:
    """What errors call the specification."""
    if spec is None:
        return f"ready specification {name}"
    return str(spec) if isinstance(spec, str | Path) else f"experiment {spec.name}"


@contextmanager
def named(where: str) -> Iterator[None]:
    """Let errors say which specification they are about."""
    try:
        yield
    except OrschedError as error:
        raise type(error)(f"{where}: {error}") from None


def asked_experiment(
    spec: str | Path | FleetExperiment | None,
    name: str | None,
    replications: int | None,
    seed: int | None,
    workers: int | None,
) -> FleetExperiment:
    """Read a specification file, or the ready one of that name, with what is given here in place of its own.

    An experiment that is built already is taken as it is, but for the workers.

    Raises
    ------
    InputError
        When neither or both are given, or it cannot be read or run (the message says which specification); for
        replications or a seed beside an experiment that has its own.
    """
    from experiments.fleet.spec import FleetExperiment, fleet_experiment
    from experiments.fleet.spec_file import SPECS, read_spec, ready_spec

    if (spec is None) == (name is None):
        raise InputError("give one of --spec FILE.toml, --name SPEC and --list")
    if isinstance(spec, FleetExperiment):
        if replications is not None or seed is not None:
            raise InputError(f"--replications and --seed are for specifications; experiment {spec.name} has its own")
        return replace(spec, workers=workers or spec.workers)
    if spec is None:
        table, label, folder = ready_spec(name or ""), name or "", SPECS
    else:
        path = Path(spec)
        table, label, folder = read_spec(path), path.stem, path.parent
    with named(specification_name(spec, name)):
        return fleet_experiment(table, label, folder, replications=replications, seed=seed, workers=workers)


def listed() -> dict[str, list[dict[str, str]]]:
    """Name and description of the ready ``specifications`` and of the fleet ``systems``."""
    from experiments.fleet.spec_file import ready_names, ready_spec
    from policies.fleet_systems import SYSTEMS

    return {
        "specifications": [{"name": name, "description": ready_spec(name).description} for name in ready_names()],
        "systems": [{"name": name, "description": SYSTEMS[name].description} for name in sorted(SYSTEMS)],
    }
