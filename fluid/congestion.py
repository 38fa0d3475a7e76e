"""The congestion bound: mean latency from the price of the time that crowded iterations take."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from fluid.certify import certify
from fluid.critical_path import CriticalPaths
from fluid.latency import usable_tokens
from fluid.makespan import planning_makespan_s
from fluid.minorants import mix, sound_minorants, standalone
from fluid.programme import LinearProgramme, SolverError, solve
from fluid.tangents import Progress, Tangent, tangent
from orsched.fleet import Fleet
from orsched.work import Floats, Ints
from orsched.workloads import Workload

_WINDOWS = 48
_DRAIN = 16
_CROWDS = 60
_NEAR = (0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.2)


def congestion_bound_s(workload: Workload, fleet: Fleet) -> tuple[Fraction, dict[str, Any]]:
    """Lower bound on the sum of latencies, proved by a dual vector in exact arithmetic.

    *One price.* Add up a `fluid.tangents.Tangent` over all iterations. The sum of ``b T`` is at most the
    sum of latencies, because a participant is in the system during the whole iteration. On n instances the
    iterations within a period of length A last at most ``n A`` together. So, if everything were done within
    A,

        sum of latencies >= sum_i (c_1 o_i + e s_i + (1 + c_0) q_i) - c_0 n A        for every tangent:

    work done in small batches uses up time that is not there, work done in large ones delays its
    participants. With ``s = low`` throughout the best tangent gives the fluid equilibrium ``alpha / (1 -
    rho)`` per iteration times the share of time that is not spent on prefill.

    *Windows.* A policy may leave some of it until after the last arrival, where time has no price. So the
    time axis is cut into windows, the last one unbounded, and a linear programme chooses how much of the
    three amounts (participations d, clipped work s, rest q) is done in each. ``y_w`` is the presence in
    window w (the integral of the number in system) and ``R_w`` what has arrived and is not done at its end:

        minimise  sum_w y_w   subject to
        y_w >= c_1 d_w + e s_w + (1 + c_0) q_w - c_0 n len_w             for several tangents     (tangent)
        y_w >= len_w v R_w - integral of v (what arrives later in w)     for several v            (backlog)
        alpha d_w / B_max + s_w + q_w <= n len_w                                                  (time)
        low d_w <= s_w <= high d_w                                                                (low, high)
        (d, s, q)_w = R_{w-1} + arrived_w - R_w >= 0,  R >= 0,  R_last = 0                        (progress)

    where in the last window only the tangent with ``c_0 = 0`` holds and neither backlog nor time counts.
    Any policy's schedule is feasible. An iteration across an edge is split in proportion to time, and
    tangents are linear. Backlog: v weighs the amounts so that no request has more than one unit, hence the
    number in system is at least ``v R(t)`` at every instant, and ``R(t)`` is at least what has arrived by t
    less what is done by the end of the window. So the optimum is a lower bound, and so is the value of any
    dual vector (`fluid.certify.certify`), which is what is returned.

    Parameters
    ----------
    workload : Workload
        The sample path.
    fleet : Fleet
        What serves it.

    Returns
    -------
    bound : Fraction
        Seconds, >= 0.
    certificate : dict
        Minorant, tangents, windows and dual vector.
    """
    progress, tangents = _best_prices(workload, fleet)
    starts = _window_starts(workload, fleet)
    lp = congestion_programme(workload, fleet, progress, tangents, starts)
    solution = solve(lp)
    if solution.duals is None:
        raise SolverError(f"congestion programme: HiGHS says {solution.status!r}; it is feasible and bounded")
    certificate = {
        "minorant": progress.minorant,
        "tangents": tangents,
        "window_starts_s": tuple(starts.tolist()),
        "duals": tuple(solution.duals.tolist()),
        "status": solution.status,
    }
    return max(-certify(lp, solution.duals), Fraction(0)), certificate


def congestion_programme(
    workload: Workload, fleet: Fleet, progress: Progress, tangents: tuple[Tangent, ...], starts: Floats
) -> LinearProgramme:
    """Write the programme of `congestion_bound_s` as a maximisation of minus the presence.

    Columns: ``y_w`` in units of `unit`, what it costs to do everything in the last window; that is feasible,
    so an optimal ``y_w`` is at most one. Then ``R_w`` of the three amounts, as shares of their totals.

    Parameters
    ----------
    workload, fleet : Workload, Fleet
        The sample path and what serves it.
    progress : Progress
        What is to be done.
    tangents : tuple of Tangent
        The first must have ``time = 0``: it alone holds in the last window.
    starts : ndarray of float64, shape (windows,)
        Starts of the windows in seconds, increasing; the first is the first arrival.
    """
    table = _Arrivals.of(workload, progress, starts)
    backlogs = [table.backlog(weights) for weights in _backlog_weights(progress, tangents)]
    unit = max([progress.value(tangents[0]) + float(np.sum(b.held)) for b in backlogs])
    windows, time_s = len(starts), fleet.size * np.diff(starts)
    seat_s = progress.minorant.base_s / fleet.hardware.max_num_seqs
    rows: dict[str, tuple[Floats, float]] = {}

    def add(name: str, w: int, presence: float, done: Floats, left: Floats, most: float) -> None:
        """Add ``presence y_w + done . (d, s, q)_w + left . R_w <= most``."""
        row = np.zeros(4 * windows)
        row[w] = presence
        row[windows + w :: windows] = (left - done) * table.totals
        if w:
            row[windows + w - 1 :: windows] += done * table.totals
        constant = float(done @ (table.arrived[:, w] * table.totals))
        rows[f"{name}_{w}"] = (row / unit, (most - constant) / unit)

    none = np.zeros(3)
    for w in range(windows):
        bounded = w < windows - 1
        for k, price in enumerate(tangents if bounded else tangents[:1]):
            paid = price.time * float(time_s[w]) if bounded else 0.0
            add(f"tangent{k}", w, -unit, price.prices, none, paid)
        add("low", w, 0.0, np.array([progress.low, -1.0, 0.0]), none, 0.0)
        add("high", w, 0.0, np.array([-progress.high, 1.0, 0.0]), none, 0.0)
        for k in range(3):
            add(f"progress{k}", w, 0.0, -unit * np.eye(3)[k] / table.totals, none, 0.0)
        if bounded:
            add("time", w, 0.0, np.array([seat_s, 1.0, 1.0]), none, float(time_s[w]))
            for k, b in enumerate(backlogs):
                add(f"backlog{k}", w, -unit, none, b.weights * float(starts[w + 1] - starts[w]), float(b.late[w]))
    present = np.minimum(np.cumsum(table.arrived, axis=1) * (1 + 1e-9), 1.0 + 1e-9)
    present[:, -1] = 0.0
    return LinearProgramme(
        objective=np.concatenate([np.full(windows, -unit), np.zeros(3 * windows)]),
        matrix=np.array([row for row, _ in rows.values()]),
        rhs=np.array([rhs for _, rhs in rows.values()]),
        upper=np.concatenate([np.full(windows, 1.0 + 1e-9), present.ravel()]),
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

    progress: Progress
    starts: Floats
    window: Ints
    after_s: Floats
    totals: Floats
    arrived: Floats

    @classmethod
    def of(cls, workload: Workload, progress: Progress, starts: Floats) -> _Arrivals:
        window = np.searchsorted(starts, workload.arrival_s, side="right").astype(np.int64) - 1
        totals = np.where(progress.totals > 0, progress.totals, 1.0)
        arrived = np.stack([np.bincount(window, row, len(starts)) for row in progress.amounts])
        after = workload.arrival_s - starts[window]
        return cls(progress, starts, window, after, totals, arrived / totals[:, None])

    def backlog(self, weights: Floats) -> _Backlog:
        """Scale `weights` so that no request ever has more than one unit left, and integrate arrivals."""
        most = float((weights @ self.progress.amounts).max())
        scaled = weights / most if most > 0 else weights * 0.0
        sizes = scaled @ self.progress.amounts
        windows = len(self.starts)
        late: Floats = np.bincount(self.window, sizes * self.after_s, windows)[:-1].astype(float)
        present = np.cumsum(np.bincount(self.window, sizes, windows))[:-1]
        return _Backlog(scaled, late, np.maximum(np.diff(self.starts) * present - late, 0.0))


def _backlog_weights(progress: Progress, tangents: tuple[Tangent, ...]) -> list[Floats]:
    """Each amount alone, and what each tangent asks beyond the critical path."""
    beyond = (np.maximum(t.prices - tangents[0].prices, 0.0) for t in tangents[1:])
    return [*np.eye(3), *beyond]


def _best_prices(workload: Workload, fleet: Fleet) -> tuple[Progress, tuple[Tangent, ...]]:
    """Find the minorant and crowd whose one price gives most, and tangents around it; all are valid."""
    hw = fleet.hardware
    shortest = int(workload.input_tokens.min())
    mixtures = standalone(sound_minorants(hw.service, shortest))
    blends = (mix(pair, (0.5, 0.5)) for pair in combinations(mixtures, 2))
    most = max(1, min(hw.max_num_seqs, usable_tokens(hw) // shortest))
    time_s = fleet.size * max(workload.span_s, planning_makespan_s(workload, fleet))
    found = [
        _prices_around(Progress.of(workload, minorant), most, time_s)
        for minorant in (*mixtures, *blends)
        if minorant.base_s > 0
    ]
    _, progress, tangents = max(found, key=lambda entry: entry[0])
    return progress, tangents


def _prices_around(progress: Progress, most: int, time_s: float) -> tuple[float, Progress, tuple[Tangent, ...]]:
    mean = float(progress.totals[1] / progress.totals[0])
    base = progress.minorant.base_s

    def touching(crowd: float) -> Tangent | None:
        """At the mean work per participation the best price of time is that of a batch of `crowd`."""
        time = mean * crowd * crowd / base
        return tangent(progress.minorant, progress.low, progress.high, most, crowd, time)

    alone = Tangent(0.0, 1.0, base)  # the critical path
    best, crowd = progress.value(alone), 1.0
    for size in np.geomspace(1.0, max(most, 2), _CROWDS).tolist():
        price = touching(size)
        if price is not None and (value := progress.value(price) - price.time * time_s) > best:
            best, crowd = value, size
    near = (touching(max(1.0, crowd * factor)) for factor in _NEAR)
    return best, progress, (alone, *(t for t in near if t is not None))


def _window_starts(workload: Workload, fleet: Fleet) -> Floats:
    """Windows of equal length over the arrivals, then over twice the least time to drain."""
    span = workload.span_s
    drain = 2.0 * max(planning_makespan_s(workload, fleet) - span, 0.0)
    drain += float(np.mean(CriticalPaths.of(workload, fleet).latency_s))
    arriving = np.linspace(0.0, span, min(_WINDOWS, len(workload)), endpoint=False)
    draining = span + np.linspace(0.0, drain, min(_DRAIN, 2 + len(workload)) + 1)
    return np.unique(float(workload.arrival_s[0]) + np.concatenate([arriving, draining]))
