"""The tables of a specification that say what arrives: the workload and the tiers of its requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from experiments.comparison.experiment import MOST_REQUESTS
from experiments.fleet.part import FileText, Part, PositiveSeconds, Text
from experiments.fleet.tiers import DrawnTiers
from orsched.errors import InputError
from orsched.request import SLO, RequestClass

RATES = ("rate_per_s", "load", "scale")
"""Ways to say how fast requests arrive; one of them."""

SHARE_ROUNDING = 1e-6
"""By how much the shares of the tiers may miss 1."""


class WorkloadTable(Part):
    """``[workload]``: which requests, how many, how fast."""

    name: FileText
    """A name of `orsched list workloads`, or the path of a trace file relative to the specification."""
    requests: Annotated[int, Field(ge=2, le=MOST_REQUESTS)] = 2_000
    rate_per_s: Annotated[float, Field(ge=1e-6, le=1e6)] | None = None
    """Requests per second for the whole fleet."""
    load: Annotated[float, Field(ge=1e-6, le=1e6)] | None = None
    """Load of all instances, whatever their role and whether on or off; 1 is the edge of what any policy sustains."""
    scale: Annotated[float, Field(ge=1e-6, le=1e6)] | None = None
    """Multiple of the recorded rate."""
    arrivals: Literal["recorded", "poisson", "gamma"] = "recorded"
    """The source's own pattern of arrivals, or a renewal process in its place, at the same rate."""
    cv: Annotated[float, Field(ge=0, le=100)] | None = None
    """With ``gamma``: coefficient of variation of the gaps."""
    tiers: Literal["drawn", "class"] = "drawn"
    """Whether the tier of a request is drawn, or is its class in the trace."""
    drop_oversized: bool = False

    def require_consistent(self) -> None:
        """Refuse fields that contradict each other."""
        given = [name for name in RATES if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"workload.{given[1]}: goes not with {given[0]}; give one of {', '.join(RATES)}")
        if (self.arrivals == "gamma") != (self.cv is not None):
            raise InputError("workload.cv: goes with arrivals = 'gamma', which needs it, and with no other")


class TierTable(Part):
    """``[[tier]]``: requests that share an objective."""

    name: Text
    ttft_s: PositiveSeconds
    tpot_s: PositiveSeconds
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the requests, where tiers are drawn."""

    def request_class(self) -> RequestClass:
        """What a workload takes."""
        return RequestClass(self.name, SLO(self.ttft_s, self.tpot_s))


def drawn_tiers(tiers: Sequence[TierTable]) -> DrawnTiers:
    """The rule that draws tiers with their shares."""
    classes = tuple(tier.request_class() for tier in tiers)
    return DrawnTiers(classes, tuple(1.0 if tier.share is None else tier.share for tier in tiers))


def require_tiers(tiers: Sequence[TierTable], how: str, field: str = "tier") -> None:
    """Refuse tiers whose names are not distinct, or whose shares do not go with `how` they are assigned.

    Parameters
    ----------
    tiers : sequence of TierTable
        The tables.
    how : {"drawn", "class"}
        How requests come by their tier.
    field : str
        What the tables are called in the specification, for errors.

    Raises
    ------
    InputError
        Naming the field.
    """
    names = [tier.name for tier in tiers]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InputError(f"{field}.{place}.name = {name!r}: given twice")
    for place, tier in enumerate(tiers):
        if how == "class" and tier.share is not None:
            raise InputError(f"{field}.{place}.share = {tier.share:g}: goes not with workload.tiers = 'class'")
        if how == "drawn" and tier.share is None and len(tiers) > 1:
            other = ", or workload.tiers = 'class'" if field == "tier" else ""
            raise InputError(f"{field}.{place}.share: missing; each of several tiers needs one{other}")
    total = math.fsum(1.0 if tier.share is None else tier.share for tier in tiers)
    if how == "drawn" and tiers and abs(total - 1) > SHARE_ROUNDING:
        raise InputError(f"{field}.share: the shares add up to {total:g}, must be 1")
