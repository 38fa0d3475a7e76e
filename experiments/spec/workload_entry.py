"""``[[workloads]]``: what arrives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from experiments.fleet.demand_tables import TierTable, drawn_tiers, require_tiers
from experiments.fleet.part import FileText, Text, path_text
from experiments.fleet.tiers import DrawnTiers
from experiments.spec.listed import Listed
from experiments.spec.named_entry import NamedEntry
from orsched.errors import InputError
from orsched.workloads.files import FORMATS


class WorkloadEntry(NamedEntry):
    """``[[workloads]]``: requests, and when they arrive."""

    name: FileText
    """A name of `orsched list workloads`, or the path of a trace file relative to the specification."""
    label: Text | None = None
    """What tables call it; by default what it is."""
    drop_oversized: bool = False
    """Leave out the requests of a trace that no instance can hold, instead of refusing it."""
    arrivals: Literal["recorded", "poisson", "gamma"] = "recorded"
    """The workload's own pattern of arrivals, or a renewal process in its place, at the same rate."""
    cv: Annotated[float, Field(ge=0, le=100)] | None = None
    """With ``gamma``: coefficient of variation of the gaps."""

    tiers: Listed[TierTable] | None = None
    """``[[workloads.tiers]]``: in place of the workload's classes, requests drawn into tiers with objectives."""

    @model_validator(mode="after")
    def _consistent(self) -> WorkloadEntry:
        if (self.arrivals == "gamma") != (self.cv is not None):
            raise PydanticCustomError(
                "contradiction", "cv goes with arrivals = 'gamma', which needs it, and with no other"
            )
        try:
            require_tiers(self.tiers or (), "drawn", "tiers")
        except InputError as error:
            raise PydanticCustomError("contradiction", "{message}", {"message": str(error)}) from None
        return self

    @property
    def shown(self) -> str:
        """The label, given or made."""
        if self.label is not None:
            return self.label
        cv = "" if self.cv is None else f" cv {self.cv:g}"
        arrivals = "" if self.arrivals == "recorded" else f", {self.arrivals} arrivals{cv}"
        return Path(self.name).name + arrivals + ("" if self.tier_rule is None else f", {self.tier_rule.shown}")

    @property
    def tier_rule(self) -> DrawnTiers | None:
        """Which tier each request is of; None: its class is that of the workload."""
        return None if self.tiers is None else drawn_tiers(self.tiers)

    @property
    def file(self) -> Path | None:
        """The trace file; None for a catalogue name."""
        return Path(self.name) if self.name.lower().endswith(tuple(FORMATS)) else None

    def absolute(self, root: Path) -> WorkloadEntry:
        """The same workload with its file made absolute: a relative one is below `root`."""
        return self if self.file is None else self.model_copy(update={"name": path_text(root / self.file)})
