"""A specification as TOML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from experiments.calibration.toml_text import toml_text

if TYPE_CHECKING:
    from experiments.spec.experiment_spec import ExperimentSpec


def spec_toml(spec: ExperimentSpec) -> str:
    """Every setting, so that a later change of a default changes no experiment that was written down."""
    table = spec.model_dump(mode="json", exclude_none=True)
    if spec.precision is not None:
        del table["replications"]
    for fleet in table["fleets"]:
        if "groups" in fleet:
            del fleet["instances"]
    for policy in table["policies"]:
        if not policy["settings"]:
            del policy["settings"]
    return toml_text(_short(table))


def _short(table: dict[str, Any]) -> dict[str, Any]:
    """Policies of which nothing else is said as their names."""
    short = [entry["name"] if list(entry) == ["name"] else entry for entry in table["policies"]]
    return table | {"policies": short} if all(isinstance(entry, str) for entry in short) else table
