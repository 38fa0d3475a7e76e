"""A specification file: its tables, and reading one."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from experiments.fleet.demand_tables import TierTable, WorkloadTable, require_tiers
from experiments.fleet.fault_tables import FaultsTable
from experiments.fleet.fleet_tables import GroupTable, MigrationTable
from experiments.fleet.part import Part, PositiveSeconds, Text
from experiments.fleet.policy_table import PolicyTable
from orsched.errors import InputError, unknown_name
from orsched.toml_file import checked_toml, toml_text

MOST_BYTES = 1_000_000
"""Largest specification that is read."""

MOST_REPLICATIONS = 100_000
"""Most sample paths."""

SPECS = Path(str(resources.files("experiments.fleet") / "specs"))
"""Where the ready specifications are, and the traces that they name."""


ScoringName = Literal["mean-tpot", "deadlines"]


class GoodputTable(Part):
    """``[goodput]``: search for the largest rate at which the attainment level is kept."""

    least: Annotated[float, Field(ge=1e-6, le=1e6)] = 0.1
    """Smallest multiple of the workload's rate that is tried."""
    most: Annotated[float, Field(ge=1e-6, le=1e6)] = 4.0
    """Largest one."""
    tolerance: Annotated[float, Field(ge=1e-6, lt=1)] = 0.02
    """Relative accuracy."""


class ExperimentTable(Part):
    """``[experiment]``: how it is run and judged."""

    replications: Annotated[int, Field(ge=1, le=MOST_REPLICATIONS)] = 5
    seed: Annotated[int, Field(ge=0)] = 0
    warm_up: Text = "none"
    workers: Annotated[int, Field(ge=1, le=10_000)] | None = None
    scoring: ScoringName = "mean-tpot"
    """When a request is within its objective: `orsched.scoring.SCORINGS`."""
    attainment: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of requests within their objectives from which a rate counts as sustained (DistServe's 90%)."""
    sample_every_s: PositiveSeconds | None = None
    """Distance of the samples of the time line; by default a 200th of it."""
    keep_requests: bool = False
    """With --out: write every run, one row per request, as Parquet."""


class SpecFile(Part):
    """What a specification may hold; see docs/fleets.md."""

    description: Text = "fleet experiment"
    group: Annotated[list[GroupTable], Field(min_length=1, max_length=10_000)]
    migration: MigrationTable = MigrationTable()
    workload: WorkloadTable
    tier: list[TierTable] = Field(default=[], max_length=1_000)
    policy: Annotated[list[PolicyTable], Field(min_length=1, max_length=1_000)]
    faults: FaultsTable = FaultsTable()
    experiment: ExperimentTable = ExperimentTable()
    goodput: GoodputTable | None = None

    @field_validator("policy", mode="before")
    @classmethod
    def _one_policy(cls, value: Any) -> Any:
        """Take ``[policy]`` as a list of one."""
        return [value] if isinstance(value, dict) else value

    def require_consistent(self) -> None:
        """Refuse fields that are right by themselves and contradict each other.

        Raises
        ------
        InputError
            Naming the field.
        """
        self.workload.require_consistent()
        require_tiers(self.tier, self.workload.tiers)
        if self.workload.tiers == "class" and not self.tier:
            raise InputError("tier: missing; workload.tiers = 'class' needs a [[tier]] for every class of the workload")
        names = [tier.name for tier in self.tier]
        for place, group in enumerate(self.group):
            if group.tier is not None and group.tier not in names:
                known = ", ".join(map(repr, names)) or "there is no [[tier]]"
                raise InputError(f"group.{place}.tier = {group.tier!r}: must be the name of a [[tier]] ({known})")
            if group.off > group.size:
                raise InputError(f"group.{place}.off = {group.off}: must be at most its size, {group.size}")
        labels = [policy.shown_name for policy in self.policy]
        for place, label in enumerate(labels):
            if label in labels[:place]:
                raise InputError(f"policy.{place}: {label!r} is given twice; set a label")
        if self.goodput is not None and self.faults != FaultsTable():
            raise InputError("goodput: goes not with [faults]: a path that is squeezed in time would meet other faults")
        if self.goodput is not None and self.goodput.least >= self.goodput.most:
            raise InputError(f"goodput.least = {self.goodput.least:g}: must be below most = {self.goodput.most:g}")


def read_spec(path: Path) -> SpecFile:
    """Read a specification.

    Raises
    ------
    InputError
        When it cannot be read, is too large, breaks the schema or contradicts itself; names the field.
    """
    return parsed_spec(toml_text(path, MOST_BYTES, "a specification"), str(path))


def parsed_spec(text: str, where: str) -> SpecFile:
    """Parse the text of a specification; `where` names it in errors, which are as for `read_spec`."""
    spec = checked_toml(SpecFile, text, where)
    try:
        spec.require_consistent()
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return spec


def ready_spec(name: str) -> SpecFile:
    """Return a specification that comes with the program.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    """
    if name not in ready_names():
        raise unknown_name("ready specification", name, ready_names())
    return parsed_spec((SPECS / f"{name}.toml").read_text(encoding="utf-8"), f"ready specification {name}")


def ready_names() -> list[str]:
    """Names of the specifications that come with the program, sorted."""
    return sorted(file.stem for file in SPECS.glob("*.toml"))
