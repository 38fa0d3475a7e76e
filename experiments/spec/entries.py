"""The axes of a specification that are tables: workloads, fleets, policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from experiments.fleet.part import Part, Text
from orsched.group import MOST_INSTANCES

LEAST_MEMORY, MOST_MEMORY = 1e-3, 1e3
"""Smallest and largest multiple of the KV memory."""


class NamedEntry(Part):
    """An entry that may be given by its name alone: a string in place of a table."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, str | dict | cls):
            raise PydanticCustomError("not_an_entry", "must be a name or a table")
        return {next(iter(cls.model_fields)): value} if isinstance(value, str) else value


class WorkloadEntry(NamedEntry):
    """``[[workloads]]``: requests, and when they arrive."""

    name: Text
    """A name of `orsched list workloads`, or the path of a trace file relative to the specification."""
    label: Text | None = None
    """What tables call it; by default what it is."""
    drop_oversized: bool = False
    """Leave out the requests of a trace that no instance can hold, instead of refusing it."""
    arrivals: Literal["recorded", "poisson", "gamma"] = "recorded"
    """The workload's own pattern of arrivals, or a renewal process in its place, at the same rate."""
    cv: Annotated[float, Field(ge=0, le=100)] | None = None
    """With ``gamma``: coefficient of variation of the gaps."""

    @model_validator(mode="after")
    def _consistent(self) -> WorkloadEntry:
        if (self.arrivals == "gamma") != (self.cv is not None):
            raise PydanticCustomError(
                "contradiction", "cv goes with arrivals = 'gamma', which needs it, and with no other"
            )
        return self

    @property
    def shown(self) -> str:
        """The label, given or made."""
        if self.label is not None:
            return self.label
        cv = "" if self.cv is None else f" cv {self.cv:g}"
        return Path(self.name).name + ("" if self.arrivals == "recorded" else f", {self.arrivals} arrivals{cv}")


class FleetEntry(NamedEntry):
    """``[[fleets]]``: identical instances, and who routes to them."""

    hardware: Text
    """A name of `orsched list hardware`, or the path of a hardware file relative to the specification."""
    label: Text | None = None
    """What tables call it; by default what it is."""
    instances: Annotated[int, Field(ge=1, le=MOST_INSTANCES)] = 1
    router: Text | None = None
    """A name of `orsched list routers`; by default the policy's own, or ``jsq``."""
    kv_memory: Annotated[float, Field(ge=LEAST_MEMORY, le=MOST_MEMORY)] = 1.0
    """Multiple of the KV memory of each instance."""

    @property
    def shown(self) -> str:
        """The label, given or made."""
        if self.label is not None:
            return self.label
        name = Path(self.hardware).name if self.hardware.endswith(".toml") else self.hardware
        count = "" if self.instances == 1 else f"{self.instances} x "
        memory = "" if self.kv_memory == 1 else f", {self.kv_memory:g} x KV memory"
        return count + name + memory + ("" if self.router is None else f", {self.router}")


class PolicyEntry(NamedEntry):
    """``[[policies]]``: a policy with its defaults."""

    name: Text
    """A name of `orsched list policies`."""
    label: Text | None = None
    """What tables call it; by default its name."""

    @property
    def shown(self) -> str:
        """The label, given or made."""
        return self.name if self.label is None else self.label
