"""The main result: how far each policy is from what no policy can beat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.errors import InputError
from orsched.gap_row import Gap, GapRow
from orsched.gap_text import GAP_METRIC, HEADERS, SHOWN, UNSTABLE, aligned, headers, located, percent

if TYPE_CHECKING:
    import pandas as pd

    from orsched.gap_matrix import GapMatrix

__all__ = ["GAP_METRIC", "HEADERS", "SHOWN", "UNSTABLE", "Gap", "GapRow", "GapTable", "percent"]


@dataclass(frozen=True, slots=True)
class GapTable:
    """Gaps of policies at loads (or rates, or scales), on common sample paths.

    Parameters
    ----------
    workload, fleet : str
        Names.
    requests, replications, seed : int
        Size and seed of the experiment; of rows with requests of their own see `GapRow.requests`.
    rows : sequence of GapRow
        Ordered by place on the axis, then as the policies were given.
    notices : sequence of str
        What was changed or assumed, to be shown to the reader.
    predictor : str, optional
        Where the policies that use output lengths had them from.
    axis : str
        What rows of one policy differ in: ``"load"``, or what `GapRow.at` says, as ``"rate_per_s"`` or ``"scale"``.
    metrics : sequence of str
        Those that the text form shows; the gap beside them is always that of `GAP_METRIC`.
    """

    workload: str
    fleet: str
    requests: int
    replications: int
    seed: int
    rows: Sequence[GapRow]
    notices: Sequence[str] = ()
    predictor: str | None = None
    axis: str = "load"
    metrics: Sequence[str] = SHOWN

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def title(self) -> str:
        """What the table shows, in one line."""
        counts = [self.requests if row.requests is None else row.requests for row in self.rows] or [self.requests]
        least, most = min(counts), max(counts)
        requests = f"{most:,}" if least == most else f"{least:,} to {most:,}"
        paths = f"{self.replications} replications of {requests} requests"
        predicted = "" if self.predictor is None else f", lengths predicted by {self.predictor}"
        return f"{self.workload} on {self.fleet}: {paths}, seed {self.seed}{predicted}"

    @property
    def loads(self) -> tuple[float, ...]:
        """The loads, in the order of the rows; rows without one add none."""
        return tuple(dict.fromkeys(row.load for row in self.rows if row.load is not None))

    @property
    def places(self) -> tuple[float, ...]:
        """The places on the axis, in the order of the rows; the loads on an axis of loads."""
        return tuple(dict.fromkeys(row.place for row in self.rows))

    @property
    def headers(self) -> tuple[str, ...]:
        """Column headers of the text form."""
        return headers(self.axis, self.metrics)

    def cells(self, row: GapRow) -> tuple[str, ...]:
        """One of its rows as text, in the order of `headers`."""
        return row.cells(self.metrics)

    def at(self, *places: float) -> str:
        """Places on the axis in words, as ``"load 0.5, 0.9"``, ``"rate 4.7 (1/s)"`` or ``"scale 16"``."""
        return located(self.axis, *(f"{place:g}" for place in places))

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies, in the order of the rows."""
        return tuple(dict.fromkeys(row.policy for row in self.rows))

    def row(self, policy: str, at: float) -> GapRow:
        """The row of `policy` at a load, or at another place of the axis (to 1e-9 relative).

        Raises
        ------
        InputError
            When the table has no such row.
        """
        for row in self.rows:
            if row.policy == policy and math.isclose(row.place, at):
                return row
        raise InputError(
            f"no row of {policy!r} at {self.axis} {at}: policies {self.policies}, {self.axis}s {self.places}"
        )

    def matrix(self, metric: str = GAP_METRIC) -> GapMatrix:
        """Policies as rows, places on the axis as columns: the gap of one metric, and which policies may be the best.

        See `orsched.gap_arrangement.arrange`, also for errors.
        """
        from orsched.gap_arrangement import arrange

        return arrange(self, metric)

    def to_frame(self) -> pd.DataFrame:
        """One row per policy and load (or rate, or scale), every metric and gap with its half-width.

        Columns: workload, fleet, policy, information, predictor (missing where none is used), the axis where it is
        not the load (``rate_per_s`` or ``scale``), load, stable,
        unstable_replications, replications, requests, seed; for each metric ``<metric>`` and ``<metric>_half_width``;
        for each metric with a bound ``<metric>_gap``, ``<metric>_gap_half_width``, ``<metric>_bound`` (name),
        ``<metric>_bound_value``, ``<metric>_bound_validity`` and ``<metric>_bound_certified``. A cell that does not
        exist is missing.
        """
        from orsched.gap_frame import to_frame

        return to_frame(self)

    def summary(self) -> str:
        """Aligned plain text: the title, the header, one line per row, the notes."""
        text = aligned([self.headers, *map(self.cells, self.rows)])
        return "\n".join([self.title, "", *text, *[f"note: {note}" for note in self.notes]])

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say about the stability of rows, and the notices."""
        rows = [f"{row.policy} at {self.at(row.place)}: {row.reason}" for row in self.rows if row.reason]
        return (*rows, *self.notices)

    def __str__(self) -> str:
        return self.summary()

    def to_html(self) -> str:
        """The text form as an HTML ``table`` without styles."""
        from orsched.html_table import html_table

        return html_table(self.title, self.headers, list(map(self.cells, self.rows)), self.notes)

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        return self.to_html()
