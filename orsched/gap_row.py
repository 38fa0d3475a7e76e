"""One row of a gap table: a policy at one load, with its distances from what no policy can beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orsched.bound import Validity
from orsched.errors import InputError
from orsched.gap_text import SHOWN, row_cells
from orsched.statistics.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Gap:
    """Relative distance of one metric from its best valid bound, paired per replication.

    Parameters
    ----------
    metric : str
        Name as in `orsched.metrics`.
    estimate : Estimate
        Of the gap, a fraction: 0 is optimal.
    bound : str
        Which bound; several names joined by ``" / "`` when replications differ, most frequent first.
    bound_value : Estimate
        Of the bound, in the metric's unit.
    validity : {"pathwise", "fluid", "asymptotic"}
        The weakest validity among the bounds used.
    certified : bool
        Whether every bound used is certified.
    values : tuple of float
        The gap on each sample path, in order, for comparisons between policies; empty where they were not kept.
    """

    metric: str
    estimate: Estimate
    bound: str
    bound_value: Estimate
    validity: Validity
    certified: bool
    values: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """The bound with what makes it believable: ``name (validity, certified)``."""
        return f"{self.bound} ({self.validity}{', certified' if self.certified else ''})"


@dataclass(frozen=True, slots=True)
class GapRow:
    """One policy at one load, or at one place of another axis.

    Parameters
    ----------
    policy, information : str
        Name, and what the policy may know about output lengths.
    load : float, optional
        In units of the planning LP's capacity; None on a fleet that has none, as one of mixed hardware.
    metrics : mapping of str to Estimate
        Every metric measured.
    gaps : mapping of str to Gap
        Keyed by metric; a metric without a valid bound has none.
    stable : bool or None
        Whether the policy kept up with the arrivals; None when it could not run.
    unstable_replications, replications : int
        Replications whose queue grew, and all of them.
    reason : str
        Why it is unstable or could not run, or what to know about a stable one; empty when there is nothing
        to say.
    settings : mapping
        The policy's parameters and what it derived from the workload (bins, thresholds).
    values : mapping of str to tuple of float
        Every metric on each sample path, in order, for comparisons between policies; empty where they were not kept.
    at : float, optional
        Place on the axis of the table; None: it is the load.
    requests : int, optional
        In each of its sample paths, where that differs from row to row, as on an axis of scales.
    """

    policy: str
    information: str
    load: float | None
    metrics: Mapping[str, Estimate]
    gaps: Mapping[str, Gap]
    stable: bool | None
    unstable_replications: int
    replications: int
    reason: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    at: float | None = None
    requests: int | None = None

    @property
    def place(self) -> float:
        """Where the row stands on the axis of its table.

        Raises
        ------
        InputError
            When it has neither a load nor another place.
        """
        place = self.load if self.at is None else self.at
        if place is None:
            raise InputError(f"GapRow.at = None: a row of {self.policy!r} without a load needs another place")
        return place

    @classmethod
    def not_run(cls, policy: str, information: str, load: float | None, reason: str) -> GapRow:
        """A policy that cannot run at a load: a row without numbers."""
        return cls(policy, information, load, {}, {}, None, 0, 0, reason)

    def cells(self, metrics: Sequence[str] = SHOWN) -> tuple[str, ...]:
        """The row as text, see `orsched.gap_text.row_cells`."""
        return row_cells(self, metrics)

    @property
    def stability(self) -> str:
        """``yes`` or ``no``, and how many replications were unstable when they disagree; or ``not run``."""
        if self.stable is None:
            return "not run"
        verdict = "yes" if self.stable else "no"
        if self.unstable_replications == (0 if self.stable else self.replications):
            return verdict
        return f"{verdict} ({self.unstable_replications}/{self.replications} unstable)"
