"""A number that no policy can beat, with what it bounds and why it may be believed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from orsched.errors import InputError, MismatchError

Sense = Literal["lower", "upper"]
Validity = Literal["pathwise", "fluid", "asymptotic"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound on a metric.

    Parameters
    ----------
    name : str
        Which bound it is, for example ``"srpt-family"``.
    value : float
        In the metric's unit.
    sense : {"lower", "upper"}
        ``lower``: no policy achieves less (metrics to minimise); ``upper``: none achieves more.
    metric : str
        The metric's name as in `orsched.metrics`.
    validity : {"pathwise", "fluid", "asymptotic"}
        ``pathwise``: holds for every policy on this very sample path. ``fluid``: holds for long-run averages.
        ``asymptotic``: holds in a limit only, never used for a gap.
    certified : bool
        True only after an exact re-computation from a certificate, or for combinatorial bounds by construction.
    subject : str
        Identifies the workload and service model it was derived from; a gap needs both sides to agree.
    certificate : mapping
        What a reader needs to re-derive the value (dual vector, chosen parameters, tolerance).
    """

    name: str
    value: float
    sense: Sense
    metric: str
    validity: Validity
    certified: bool
    subject: str = ""
    certificate: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InputError(f"bound {self.name!r} on {self.metric} has value {self.value!r}: not a number")

    @property
    def valid(self) -> bool:
        """Whether it bounds every policy, not only in a limit."""
        return self.validity != "asymptotic"

    def gap(self, value: float, *, metric: str, subject: str = "") -> float:
        """Relative distance of a measured `value` from this bound; 0 means optimal.

        ``(value - bound) / bound`` for a metric to minimise, ``(bound - value) / bound`` otherwise.

        Raises
        ------
        MismatchError
            When `metric` or `subject` differ from the bound's.
        InputError
            When the bound is zero, so that no relative gap exists.
        """
        if metric != self.metric:
            raise MismatchError(f"bound {self.name!r} is for {self.metric}, not for {metric}")
        if subject != self.subject:
            raise MismatchError(f"bound {self.name!r} was derived from {self.subject!r}, not from {subject!r}")
        if self.value <= 0:
            raise InputError(f"bound {self.name!r} is {self.value}: no relative gap exists")
        difference = value - self.value if self.sense == "lower" else self.value - value
        return difference / self.value


def best_bound(bounds: Iterable[Bound], metric: str) -> Bound | None:
    """The tightest valid bound on `metric`, or None when there is none."""
    valid = [b for b in bounds if b.metric == metric and b.valid]
    if not valid:
        return None
    return max(valid, key=lambda b: b.value if b.sense == "lower" else -b.value)
