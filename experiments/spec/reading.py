"""Reading specifications: files, and those that come with the program."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from experiments.spec.experiment_spec import ExperimentSpec
from experiments.spec.known import require_known
from orsched.errors import InputError, unknown_name
from orsched.toml_file import checked_toml, toml_text

MOST_BYTES = 1_000_000
"""Largest specification that is read."""

SPECS = Path(str(resources.files("experiments") / "specs"))
"""Where the ready specifications are."""


def read_spec(path: Path) -> ExperimentSpec:
    """Read a specification; files that it names are relative to its folder.

    Raises
    ------
    InputError
        When it cannot be read, is too large, breaks the schema, contradicts itself or uses an unknown name; one line
        that names the field.
    """
    return parsed_spec(toml_text(path, MOST_BYTES, "a specification"), str(path), path.parent)


def recorded_spec(path: Path) -> ExperimentSpec:
    """Read the specification of an experiment that has been run: its files and plugins need not be there any more.

    Raises
    ------
    InputError
        As for `read_spec`, but for names, which are not looked up.
    """
    return checked_toml(ExperimentSpec, toml_text(path, MOST_BYTES, "a specification"), str(path)).absolute(path.parent)


def parsed_spec(text: str, where: str, folder: Path) -> ExperimentSpec:
    """Parse the text of a specification; `where` names it in errors, which are as for `read_spec`."""
    spec = checked_toml(ExperimentSpec, text, where).absolute(folder)
    try:
        require_known(spec)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return spec


def ready_spec(name: str) -> ExperimentSpec:
    """Return a specification that comes with the program.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    """
    if name not in ready_names():
        raise unknown_name("ready experiment", name, ready_names())
    file = SPECS / f"{name}.toml"
    return parsed_spec(file.read_text(encoding="utf-8"), f"ready experiment {name}", SPECS)


def ready_names() -> list[str]:
    """Names of the specifications that come with the program, sorted."""
    return sorted(file.stem for file in SPECS.glob("*.toml"))
