"""The main result: how far each policy is from what no policy can beat."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orsched.bound import Validity
from orsched.errors import InputError
from orsched.statistics.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from orsched.gap_matrix import GapMatrix

SHOWN = ("latency_mean_s", "ttft_p99_s", "tpot_p99_s", "effective_throughput_tokens_per_s")
"""Metrics that a gap table shows unless told others."""

GAP_METRIC = "latency_mean_s"
"""The metric whose gap every gap table shows."""

NAMES: Mapping[str, str] = {
    "latency_mean_s": "mean latency (s)",
    "ttft_p99_s": "p99 TTFT (s)",
    "tpot_p99_s": "p99 TPOT (s)",
    "effective_throughput_tokens_per_s": "eff. throughput (token/s)",
}
"""What columns of metrics are called; others by the metric's own name."""

AXIS_HEADERS: Mapping[str, str] = {"load": "load", "rate_per_s": "rate (1/s)", "scale": "scale"}
"""What the column of the axis is called, by `GapTable.axis`."""


def headers(axis: str = "load", metrics: Sequence[str] = SHOWN) -> tuple[str, ...]:
    """Column headers of the text form of a table with that axis and those metrics."""
    place = AXIS_HEADERS.get(axis, axis)
    return ("policy", "information", place, *(NAMES.get(name, name) for name in metrics), "gap (%)", "bound", "stable")


HEADERS = headers()
"""Column headers of the text form of a table of loads with the usual metrics."""

ABSENT = ""
UNSTABLE = "unstable"


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
    load : float
        In units of the planning LP's capacity.
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
        Place on the axis of the table, when that is not the load.
    requests : int, optional
        In each of its sample paths, where that differs from row to row, as on an axis of scales.
    """

    policy: str
    information: str
    load: float
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
        """Where the row stands on the axis of its table."""
        return self.load if self.at is None else self.at

    @classmethod
    def not_run(cls, policy: str, information: str, load: float, reason: str) -> GapRow:
        """A policy that cannot run at a load: a row without numbers."""
        return cls(policy, information, load, {}, {}, None, 0, 0, reason)

    def cells(self, metrics: Sequence[str] = SHOWN) -> tuple[str, ...]:
        """The row as text, in the order of `headers` for these metrics.

        All but throughputs of an unstable row depends on how long it was watched, so the word ``unstable``
        stands in the first such column and in that of the gap, and the others stay empty; data files keep the
        numbers. A metric that was not measured and a gap without a bound stay empty.
        """
        gap = self.gaps.get(GAP_METRIC)
        texts = [ABSENT if name not in self.metrics else str(self.metrics[name]) for name in metrics]
        gap_text = ABSENT if gap is None else str(percent(gap.estimate))
        if self.stable is False:
            hidden = [place for place, name in enumerate(metrics) if "throughput" not in name]
            for place in hidden:
                texts[place] = UNSTABLE if place == hidden[0] else ABSENT
            gap_text = UNSTABLE
        bound = ABSENT if gap is None else gap.label
        return (self.policy, self.information, f"{self.place:g}", *texts, gap_text, bound, self.stability)

    @property
    def stability(self) -> str:
        """``yes`` or ``no``, and how many replications were unstable when they disagree; or ``not run``."""
        if self.stable is None:
            return "not run"
        verdict = "yes" if self.stable else "no"
        if self.unstable_replications == (0 if self.stable else self.replications):
            return verdict
        return f"{verdict} ({self.unstable_replications}/{self.replications} unstable)"


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
        """The loads, in the order of the rows."""
        return tuple(dict.fromkeys(row.load for row in self.rows))

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
        name, _, unit = AXIS_HEADERS.get(self.axis, self.axis).partition(" ")
        return " ".join(filter(None, (name, ", ".join(f"{place:g}" for place in places), unit)))

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
        import pandas as pd

        frame = pd.DataFrame([self._record(row) for row in self.rows])
        flags = [name for name in frame.columns if name == "stable" or name.endswith("_certified")]
        return frame.astype(dict.fromkeys(flags, "boolean"))

    def _record(self, row: GapRow) -> dict[str, object]:
        record: dict[str, object] = {
            "workload": self.workload,
            "fleet": self.fleet,
            "policy": row.policy,
            "information": row.information,
            "predictor": row.settings.get("predictor"),
            **({} if self.axis == "load" else {self.axis: row.place}),
            "load": row.load,
            "stable": row.stable,
            "unstable_replications": row.unstable_replications,
            "replications": row.replications,
            "requests": self.requests if row.requests is None else row.requests,
            "seed": self.seed,
        }
        for name, value in row.metrics.items():
            record |= {name: value.mean, f"{name}_half_width": value.half_width}
        for name, gap in row.gaps.items():
            record |= {
                f"{name}_gap": gap.estimate.mean,
                f"{name}_gap_half_width": gap.estimate.half_width,
                f"{name}_bound": gap.bound,
                f"{name}_bound_value": gap.bound_value.mean,
                f"{name}_bound_validity": gap.validity,
                f"{name}_bound_certified": gap.certified,
            }
        return record

    def summary(self) -> str:
        """Aligned plain text: the title, the header, one line per row, the notes."""
        lines = [self.headers, *map(self.cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines]
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


def percent(value: Estimate) -> Estimate:
    """A fraction as a percentage."""
    half_width = None if value.half_width is None else 100 * value.half_width
    return Estimate(100 * value.mean, half_width, value.n, value.level)
