"""Which requests a task serves, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from experiments.fleet.tiers import DrawnTiers
from experiments.paths.renewed import RenewedSource
from experiments.paths.source import source_of, without_oversized
from experiments.tasks.file_content import require_content
from experiments.tasks.fleet_choice import FleetChoice
from orsched.fitting import DROP_IN_FILE, require_fit
from orsched.workloads import GammaRenewal, Poisson
from orsched.workloads.sources import WorkloadSource

ArrivalPattern = Literal["recorded", "poisson", "gamma"]


@dataclass(frozen=True, slots=True)
class WorkloadChoice:
    """A source of sample paths.

    Parameters
    ----------
    name : str
        Catalogue name, or the absolute path of a trace file.
    content : str, optional
        Hash of the file; None for a catalogue name.
    drop_oversized : bool
        Leave out the requests of a trace that no instance can hold.
    arrivals : {"recorded", "poisson", "gamma"}
        The source's own pattern, or a renewal process in its place.
    cv : float, optional
        With gamma: coefficient of variation of the gaps.
    tiers : DrawnTiers, optional
        Draws each request's class, with its objective, in place of the workload's own classes.
    """

    name: str
    content: str | None = None
    drop_oversized: bool = False
    arrivals: ArrivalPattern = "recorded"
    cv: float | None = None
    tiers: DrawnTiers | None = None

    @property
    def shown(self) -> str:
        """Name in rows: the catalogue's or the file's, and what replaces the arrivals."""
        name = self.name if self.content is None else Path(self.name).name
        cv = "" if self.cv is None else f" cv {self.cv:g}"
        arrivals = "" if self.arrivals == "recorded" else f", {self.arrivals} arrivals{cv}"
        return name + arrivals + ("" if self.tiers is None else f", {self.tiers.shown}")

    @property
    def facts(self) -> dict[str, object]:
        """What decides its paths."""
        return {
            "workload": self.name if self.content is None else self.content,
            "file": self.content is not None,
            "drop_oversized": self.drop_oversized,
            "arrivals": self.arrivals,
            "cv": self.cv,
            "tiers": [] if self.tiers is None else _facts(self.tiers),
        }


def _facts(rule: DrawnTiers) -> list[object]:
    limits = [None if one.slo is None else [one.slo.ttft_s, one.slo.tpot_s] for one in rule.tiers]
    return [[one.name, *rest] for one, *rest in zip(rule.tiers, limits, rule.shares, strict=True)]


@lru_cache(maxsize=8)
def source_for(workload: WorkloadChoice, fleet: FleetChoice) -> WorkloadSource:
    """The source of paths on a fleet; kept per process, because reading a trace takes a while.

    Raises
    ------
    InputError
        When a file has changed or cannot be used, or a request fits into no instance.
    """
    if workload.content is not None:
        require_content(Path(workload.name), workload.content)
    source = source_of(workload.name)
    built = fleet.fleet()
    if workload.drop_oversized:
        source = without_oversized(source, built)
    require_fit(source.whole(), built, DROP_IN_FILE)
    if workload.arrivals == "poisson":
        return RenewedSource(source, Poisson(1.0))
    if workload.arrivals == "gamma":
        return RenewedSource(source, GammaRenewal(1.0, 1.0 if workload.cv is None else workload.cv))
    return source
