"""The linear programme of the congestion bound, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fluid.pathwise.participations import Participations
from fluid.planning import TOLERANCE
from fluid.programme import LinearProgramme
from orsched.fleet import Fleet
from orsched.work import Floats, Ints
from orsched.workloads import Workload


def congestion_programme(
    workload: Workload,
    fleet: Fleet,
    progress: Participations,
    prices: tuple[float, ...],
    starts: Floats,
    delay_s: Floats | None = None,
) -> LinearProgramme:
    """Write the programme of `fluid.pathwise.congestion.congestion_bound_s`: maximise minus the presence.

    Columns: ``y_w`` in units of `unit`, what it costs to do everything in the last window; that is feasible,
    so an optimal ``y_w`` is at most one. Then ``z_w`` in the same unit; more of it than `delay_s` asks for in
    all is of no use. Then ``R_w`` of each kind, as shares of the kind's total.

    Parameters
    ----------
    workload, fleet : Workload, Fleet
        The sample path and what serves it.
    progress : Participations
        What is to be done.
    prices : tuple of float
        Prices of time; the first must be 0, it alone holds in the last window.
    starts : ndarray of float64, shape (windows,)
        Starts of the windows in seconds, increasing; the first is the first arrival.
    delay_s : ndarray of float64, shape (windows,), optional
        What prefills cost those present, at least, up to the end of each window. Zero by default.
    """
    worths = [progress.worths(c) for c in prices]
    busy = progress.worths(math.inf)
    table = _Arrivals.of(workload, progress, starts)
    backlogs = [table.backlog(v) for v in (worths[0], *(np.maximum(w - worths[0], 0.0) for w in worths[1:]))]
    windows, kinds = len(starts), len(worths[0])
    delays = np.zeros(windows) if delay_s is None else delay_s
    owed = float(delays.max())
    held = float(np.sum(np.max([b.held for b in backlogs], axis=0)))
    unit = owed + float(worths[0] @ progress.totals) + held or 1.0
    length_s = np.diff(starts)
    rows: dict[str, tuple[Floats, float]] = {}

    def add(name: str, w: int, presence: float, done: Floats, left: Floats, limit: float) -> None:
        """Add ``presence (y_w - [what prefills cost]) + done . d_w + left . R_w <= limit``."""
        row = np.zeros((2 + kinds, windows))
        row[0, w] = presence
        row[1, w] = -presence if name.startswith("price") else 0.0
        row[2:, w] = (left - done) * table.totals
        if w:
            row[2:, w - 1] = done * table.totals
        constant = float(done @ (table.arrived[:, w] * table.totals))
        rows[f"{name}_{w}"] = (row.ravel() / unit, (limit - constant) / unit)

    none = np.zeros(kinds)
    for w in range(windows):
        for j in range(kinds):
            share = np.zeros(kinds)
            share[j] = -unit / table.totals[j]
            add(f"progress{j}", w, 0.0, share, none, 0.0)
        add("price0", w, -unit, worths[0], none, 0.0)
        if owed:
            upto = np.zeros((2 + kinds, windows))
            upto[1, : w + 1] = -1.0
            rows[f"prefill_{w}"] = (upto.ravel(), -float(delays[w]) / unit)
        if w == windows - 1:
            continue
        time_s = fleet.size * float(length_s[w])
        for k, price in enumerate(prices[1:], 1):
            add(f"price{k}", w, -unit, worths[k], none, price * time_s)
        add("time", w, 0.0, busy, none, time_s)
        for k, b in enumerate(backlogs):
            add(f"backlog{k}", w, -unit, none, b.weights * float(length_s[w]), float(b.late[w]))
    present = np.minimum(np.cumsum(table.arrived, axis=1), 1.0) + TOLERANCE
    present[:, -1] = 0.0
    ones = np.full(windows, 1.0 + TOLERANCE)
    return LinearProgramme(
        objective=np.concatenate([np.full(windows, -unit), np.zeros((1 + kinds) * windows)]),
        matrix=np.array([row for row, _ in rows.values()]),
        rhs=np.array([limit for _, limit in rows.values()]),
        upper=np.concatenate([ones, ones * owed / unit, present.ravel()]),
        rows=tuple(rows),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Backlog:
    """A measure of what is left; `late`: integral per window of what arrives later in it; `held`: all of it kept."""

    weights: Floats
    late: Floats
    held: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Arrivals:
    """Amounts by window of arrival, as shares of `totals` (one where there is nothing)."""

    parts: Floats
    starts: Floats
    window: Ints
    after_s: Floats
    totals: Floats
    arrived: Floats

    @classmethod
    def of(cls, workload: Workload, progress: Participations, starts: Floats) -> _Arrivals:
        window = np.searchsorted(starts, workload.arrival_s, side="right").astype(np.int64) - 1
        parts = progress.parts
        sums = parts.sum(axis=1)
        totals = np.where(sums > 0, sums, 1.0)
        arrived = np.stack([np.bincount(window, row, len(starts)) for row in parts])
        return cls(parts, starts, window, workload.arrival_s - starts[window], totals, arrived / totals[:, None])

    def backlog(self, weights: Floats) -> _Backlog:
        """Scale `weights` so that no request ever has more than one unit left, and integrate arrivals."""
        most = float((weights @ self.parts).max())
        scaled = weights / most if most > 0 else weights * 0.0
        sizes = scaled @ self.parts
        windows = len(self.starts)
        late: Floats = np.bincount(self.window, sizes * self.after_s, windows)[:-1].astype(float)
        present = np.cumsum(np.bincount(self.window, sizes, windows))[:-1]
        return _Backlog(scaled, late, np.maximum(np.diff(self.starts) * present - late, 0.0))
