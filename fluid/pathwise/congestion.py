"""The congestion bound: mean latency from the price of the time that crowded iterations take."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from fluid.certify import certify
from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.makespan import planning_makespan_s
from fluid.pathwise.minorants import mix, sound_minorants, standalone
from fluid.pathwise.tangents import Progress, participation_s
from fluid.planning import TOLERANCE
from fluid.programme import LinearProgramme, SolverError, solve
from orsched.fitting import usable_tokens
from orsched.fleet import Fleet
from orsched.work import Floats, Ints
from orsched.workloads import Workload

_WINDOWS = 48
_DRAIN = 16
_PRICES = tuple(10.0 ** (k / 10) for k in range(-20, 61))
_NEAR = (0.1, 0.3, 0.6, 1.0, 1.6, 3.0, 8.0)
_FEW = (0.01, 0.1, 1.0)


def congestion_bound_s(workload: Workload, fleet: Fleet) -> tuple[Fraction, dict[str, Any]]:
    """Lower bound on the sum of latencies, proved by a dual vector in exact arithmetic.

    *One price.* Give a second of an instance the price c. Every iteration, of length T with b participants,
    has ``b T + c T >= sum_i phi_c(x_i)`` (`fluid.pathwise.tangents.participation_s`). Add that up over all
    iterations: the sum of ``b T`` is at most the sum of latencies, because a participant is in the system
    during the whole iteration, and on n instances the iterations within a period of length A last at most
    ``n A`` together. So, if everything were done within A,

        sum of latencies >= sum of phi_c over everything to be done - c n A        for every c >= 0:

    work done in small batches uses up time that is not there, work done in large ones delays its
    participants. ``c = 0`` gives the critical paths. For long stationary paths the best c gives the fluid
    equilibrium ``alpha / (1 - rho)`` per token, times the share of time not spent on prefill.

    *Windows.* A policy may leave some of it until after the last arrival, where time has no price. So the
    time axis is cut into windows, the last one unbounded, and a linear programme chooses how much is done
    in each: ``d_wj`` participations with the marginal work ``x_j`` of node j (`fluid.pathwise.tangents.Progress`).
    ``y_w`` is the presence in window w (the integral of the number in system), ``R_w`` what has arrived and
    is not done at its end:

        minimise  sum_w y_w   subject to
        y_w >= sum_j phi_c(x_j) d_wj - c n len_w                           for several prices c   (price)
        y_w >= len_w v R_w - integral of v (what arrives later in w)       for several v          (backlog)
        sum_j (x_j + alpha / B_max) d_wj <= n len_w                                               (time)
        d_w = R_{w-1} + arrived_w - R_w >= 0,   R >= 0,   R_last = 0                              (progress)

    where in the last window only ``c = 0`` holds and neither backlog nor time counts. Any policy's schedule
    is feasible. An iteration across an edge is split in proportion to time, and every row is linear in its
    parts. Time: an iteration lasts at least ``alpha`` plus the works in it, and has at most B_max
    participants. A token emitted by several chunks is credited to them in proportion to their work; chunk
    by chunk that is worth no more than phi of the chunk, because phi is concave and not negative, and it
    uses no more time and seats. Backlog: v weighs amounts so that no request has more than one unit, hence
    the number in system is at least ``v R(t)`` at every instant, and ``R(t)`` is at least what has arrived
    by t less what is done by the end of the window. So the optimum is a lower bound, and so is the value of
    any dual vector (`fluid.certify.certify`), which is what is returned.

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
        Minorant, prices of time, windows and dual vector.
    """
    progress, prices = best_prices(workload, fleet)
    starts = _window_starts(workload, fleet)
    lp = congestion_programme(workload, fleet, progress, prices, starts)
    solution = solve(lp)
    if solution.duals is None:
        raise SolverError(f"congestion programme: HiGHS says {solution.status!r}; it is feasible and bounded")
    certificate = {
        "minorant": progress.minorant,
        "prices": prices,
        "nodes_s": tuple(progress.nodes_s.tolist()),
        "window_starts_s": tuple(starts.tolist()),
        "duals": tuple(solution.duals.tolist()),
        "status": solution.status,
    }
    return max(-certify(lp, solution.duals), Fraction(0)), certificate


def congestion_programme(
    workload: Workload, fleet: Fleet, progress: Progress, prices: tuple[float, ...], starts: Floats
) -> LinearProgramme:
    """Write the programme of `congestion_bound_s` as a maximisation of minus the presence.

    Columns: ``y_w`` in units of `unit`, what it costs to do everything in the last window; that is feasible,
    so an optimal ``y_w`` is at most one. Then ``R_w`` at each node, as shares of the node's total.

    Parameters
    ----------
    workload, fleet : Workload, Fleet
        The sample path and what serves it.
    progress : Progress
        What is to be done.
    prices : tuple of float
        Prices of time; the first must be 0, it alone holds in the last window.
    starts : ndarray of float64, shape (windows,)
        Starts of the windows in seconds, increasing; the first is the first arrival.
    """
    most = _most(fleet)
    worths = [participation_s(progress.minorant, most, c, progress.nodes_s) for c in prices]
    table = _Arrivals.of(workload, progress, starts)
    backlogs = [table.backlog(v) for v in (worths[0], *(np.maximum(w - worths[0], 0.0) for w in worths[1:]))]
    unit = max(float(worths[0] @ progress.totals + np.sum(b.held)) for b in backlogs)
    windows, kinds = len(starts), len(progress.nodes_s)
    length_s = np.diff(starts)
    rows: dict[str, tuple[Floats, float]] = {}

    def add(name: str, w: int, presence: float, done: Floats, left: Floats, limit: float) -> None:
        """Add ``presence y_w + done . d_w + left . R_w <= limit``."""
        row = np.zeros((1 + kinds, windows))
        row[0, w] = presence
        row[1:, w] = (left - done) * table.totals
        if w:
            row[1:, w - 1] = done * table.totals
        constant = float(done @ (table.arrived[:, w] * table.totals))
        rows[f"{name}_{w}"] = (row.ravel() / unit, (limit - constant) / unit)

    none = np.zeros(kinds)
    for w in range(windows):
        for j in range(kinds):
            share = np.zeros(kinds)
            share[j] = -unit / table.totals[j]
            add(f"progress{j}", w, 0.0, share, none, 0.0)
        add("price0", w, -unit, worths[0], none, 0.0)
        if w == windows - 1:
            continue
        time_s = fleet.size * float(length_s[w])
        for k, price in enumerate(prices[1:], 1):
            add(f"price{k}", w, -unit, worths[k], none, price * time_s)
        add("time", w, 0.0, progress.nodes_s + progress.minorant.base_s / most, none, time_s)
        for k, b in enumerate(backlogs):
            add(f"backlog{k}", w, -unit, none, b.weights * float(length_s[w]), float(b.late[w]))
    present = np.minimum(np.cumsum(table.arrived, axis=1), 1.0) + TOLERANCE
    present[:, -1] = 0.0
    return LinearProgramme(
        objective=np.concatenate([np.full(windows, -unit), np.zeros(kinds * windows)]),
        matrix=np.array([row for row, _ in rows.values()]),
        rhs=np.array([limit for _, limit in rows.values()]),
        upper=np.concatenate([np.full(windows, 1.0 + TOLERANCE), present.ravel()]),
        rows=tuple(rows),
    )


def best_prices(workload: Workload, fleet: Fleet) -> tuple[Progress, tuple[float, ...]]:
    """Find the minorant and the one price of time that give most, and prices around it.

    What one price gives, ``sum phi_c - c n A``, is concave in c; any set of prices is valid.
    """
    mixtures = standalone(sound_minorants(fleet.hardware.service, int(workload.input_tokens.min())))
    blends = (mix(pair, (0.5, 0.5)) for pair in combinations(mixtures, 2))
    period_s = fleet.size * max(workload.span_s, planning_makespan_s(workload, fleet))
    most = _most(fleet)
    found = []
    for minorant in (*mixtures, *blends):
        progress = Progress.of(workload, minorant)
        totals = progress.totals

        def gives(price: float, progress: Progress = progress, totals: Floats = totals) -> float:
            worth = participation_s(progress.minorant, most, price, progress.nodes_s)
            return float(worth @ totals) - price * period_s

        price = max((0.0, *_PRICES), key=gives)
        found.append((gives(price), price, progress))
    _, price, progress = max(found, key=lambda entry: entry[0])
    around = {price * factor for factor in _NEAR} if price > 0 else set(_FEW)
    return progress, (0.0, *sorted(around))


def _most(fleet: Fleet) -> int:
    """Count the participants an iteration can have: each takes a seat and holds a block."""
    return min(fleet.hardware.max_num_seqs, usable_tokens(fleet.hardware) // fleet.hardware.block_tokens)


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


def _window_starts(workload: Workload, fleet: Fleet) -> Floats:
    """Windows of equal length over the arrivals, then over twice the least time to drain."""
    span = workload.span_s
    drain = 2.0 * max(planning_makespan_s(workload, fleet) - span, 0.0)
    drain += float(np.mean(CriticalPaths.of(workload, fleet).latency_s))
    arriving = np.linspace(0.0, span, min(_WINDOWS, len(workload)), endpoint=False)
    draining = span + np.linspace(0.0, drain, min(_DRAIN, 2 + len(workload)) + 1)
    return np.unique(float(workload.arrival_s[0]) + np.concatenate([arriving, draining]))
