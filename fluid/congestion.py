"""The congestion bound: mean latency from the price of time that crowded iterations take."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from fluid.certify import certify
from fluid.critical_path import CriticalPaths
from fluid.latency import usable_tokens
from fluid.makespan import planning_makespan_s
from fluid.minorants import mix, sound_minorants, standalone
from fluid.programme import LinearProgramme, SolverError, solve
from orsched.fleet import Fleet
from orsched.service import Minorant
from orsched.work import Floats, Ints
from orsched.workloads import Workload

_WINDOWS = 48
_DRAIN = 16
_NEAR = (0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.2)


@dataclass(frozen=True, slots=True)
class Tangent:
    """Prices under which no iteration of any batch pays: the line that supports "presence against progress".

    An iteration of length T with b participants satisfies

        b T  >=  sum over participants of (participation + work s_i + (1 + time) q_i)  -  time T,

    where ``s_i`` is a participant's marginal work clipped to ``[low, high]`` and ``q_i`` the rest of it.

    Parameters
    ----------
    time : float
        ``c_0 >= 0``: price of a second of an instance, in request-seconds.
    work : float
        ``e``: price of a second of marginal work within ``[low, high]``.
    participation : float
        ``c_1``: price of taking part in an iteration.
    """

    time: float
    work: float
    participation: float


def tangent(minorant: Minorant, low: float, high: float, most: int, crowd: float, time: float) -> Tangent | None:
    """Price the tangent at a batch of `crowd` requests for a given price of time.

    With ``T >= alpha + S + Q``, ``S = sum s_i`` in ``[b low, b high]``, ``Q = sum q_i >= 0``, ``1 <= b <= most``:

        (b + c_0) T >= (b + c_0) (alpha + S) + (1 + c_0) Q
                     = (b + c_0) alpha + (b + c_0 - e) S + e S + (1 + c_0) Q
                    >= c_1 b + e S + (1 + c_0) Q,
        c_1 = min over b of ((b + c_0) alpha) / b + (b + c_0 - e) (low if b + c_0 >= e else high).

    With ``e = c_0 + crowd`` the middle term vanishes at ``b = crowd``: there the inequality is tight whatever S is.

    A request counts with exactly the participations that emit its ``o`` tokens. Chunks that emit nothing take part
    too; that they may be left out (all but ``1 + c_0`` times their work) needs
    ``c_1 + (e - 1 - c_0) low >= 0``, and where that fails there is no tangent (None).
    """
    batch = np.arange(1.0, most + 1.0)
    work = time + crowd
    slack = batch + time - work
    price = (batch + time) * minorant.base_s / batch + slack * np.where(slack >= 0, low, high)
    participation = float(price.min())
    if participation + (work - 1.0 - time) * low < 0:
        return None
    return Tangent(time, work, participation)


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """What each request has to get done, for one minorant; arrays of shape ``(n,)``.

    Parameters
    ----------
    minorant : Minorant
        Sound, with a base > 0.
    low, high : float
        Least and largest marginal work (s) of a participation that emits a token.
    amounts : ndarray of float64, shape (3, n)
        Participations ``o``; work within ``[low, high]`` (the decodes' own, and `low` for the prefill); and the rest
        of the prefill's work.
    """

    minorant: Minorant
    low: float
    high: float
    amounts: Floats

    @classmethod
    def of(cls, workload: Workload, minorant: Minorant) -> Progress:
        """Split each request's work.

        A decode that reads ``n`` tokens has marginal work ``gamma + delta n``, and a chunk at least ``beta``.
        """
        work = workload.work
        shortest = int(workload.input_tokens.min())
        low = min(minorant.sequence_s + minorant.kv_token_s * shortest, minorant.prompt_token_s)
        longest = int(np.max(workload.input_tokens + workload.output_tokens))
        high = max(low, minorant.sequence_s + minorant.kv_token_s * longest)
        prefill = minorant.prompt_token_s * work.prompt_tokens + minorant.chunk_attention_s * work.chunk_attention
        decode = minorant.work_s(work) - prefill
        amounts = np.stack([work.iterations.astype(float), decode + low, prefill - low])
        return cls(minorant, low, high, np.maximum(amounts, 0.0))

    def value(self, price: Tangent) -> float:
        """Price of everything there is to do."""
        return float(np.dot(_prices(price), self.amounts.sum(axis=1)))


def congestion_bound_s(workload: Workload, fleet: Fleet) -> tuple[Fraction, dict[str, object]]:
    """Lower bound on the sum of latencies, seconds, proved by a dual vector in exact arithmetic.

    *One price.* Sum a `Tangent` over all iterations. The sum of ``b T`` is at most the sum of latencies: a participant
    is in the system for the whole iteration. With ``n`` instances the iterations within a period of length A
    last at most ``n A`` together. So if everything were done within A,

        sum of latencies >= sum_i (c_1 o_i + e S_i + (1 + c_0) Q_i) - c_0 n A        for every tangent:

    work done in small batches uses up time that is not there, work done in large ones delays its participants.

    *Windows.* A policy may do some of it after the last arrival, when time is free. So the time axis is cut
    into windows, the last one unbounded, and a linear programme chooses how much of the three amounts
    (participations, work, rest) is done in each: ``y_w`` is the presence (integral of the number in system) in
    window w, ``R_w`` the amounts that have arrived and are not done at its end,

        minimise  sum_w y_w
        y_w >= c_1 d_w + e s_w + (1 + c_0) q_w - c_0 n len_w       for several tangents (c_0 = 0 only in the last)
        y_w >= (len_w R_w - sum of o_i (a_i - start_w) over the arrivals in w) / max o
        (d, s, q)_w = R_{w-1} + arrived_w - R_w >= 0,  R >= 0,  R_last = 0.

    Iterations that straddle windows are split in proportion to time: the tangent is linear. The second row says
    that at every instant each request in the system has at most ``max o`` tokens left. The schedule of any
    policy is feasible: useful amounts are counted once, recomputation replaces a decode by something no
    cheaper (`fluid.minorants.recompute_proof`), and wasted work has non-negative prices. So the optimum, or the
    value of any dual vector (`fluid.certify`), is a lower bound.

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
        Tangents, windows and dual vector.
    """
    best = max(_candidates(workload, fleet), key=lambda found: found[0])
    _, progress, tangents = best
    edges = _edges(workload, fleet)
    lp = congestion_programme(workload, fleet, progress, tangents, edges)
    solution = solve(lp)
    if solution.duals is None:
        raise SolverError(f"congestion programme: the solver says {solution.status!r}; it is feasible and bounded")
    bound = max(-certify(lp, solution.duals), Fraction(0))
    certificate = {"minorant": progress.minorant, "tangents": tangents, "window_starts_s": tuple(edges.tolist())}
    return bound, {**certificate, "duals": tuple(solution.duals.tolist()), "status": solution.status}


def congestion_programme(
    workload: Workload, fleet: Fleet, progress: Progress, tangents: tuple[Tangent, ...], starts: Floats
) -> LinearProgramme:
    """Write the programme of `congestion_bound_s`, as a maximisation of minus the presence.

    Columns: ``y_w``, then ``R_w`` of the three amounts, as shares of their totals; presence in units of what doing
    everything in the last window costs. That is feasible, so no optimal ``y_w`` is larger.

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
    windows = len(starts)
    length = np.diff(starts)
    window = np.searchsorted(starts, workload.arrival_s, side="right") - 1
    totals = progress.amounts.sum(axis=1)
    extra = [_prices(t) - _prices(tangents[0]) for t in tangents[1:]]
    weights = [*np.eye(3), *(np.maximum(e, 0.0) for e in extra)]
    scale = np.where(totals > 0, totals, 1.0)
    arrived = np.stack([np.bincount(window, row, windows) for row in progress.amounts]) / scale[:, None]
    backlogs = [_Backlog.of(progress, mix, window, workload.arrival_s - starts[window], windows) for mix in weights]
    ceiling = max(float(np.sum(length * b.arrived[:-1] - b.late[:-1])) for b in backlogs)
    unit = max(progress.value(tangents[0]) + ceiling, 1e-300)
    size = 4 * windows
    low, high, unit_s = progress.low, progress.high, float(totals[1:].sum()) or 1.0
    seat_s = progress.minorant.base_s / fleet.hardware.max_num_seqs
    rows: dict[str, tuple[Floats, float]] = {}

    def done(w: int, prices: Floats) -> tuple[Floats, float]:
        """``prices . (R_{w-1} + arrived_w - R_w)`` as coefficients and constant."""
        row = np.zeros(size)
        for k in range(3):
            row[windows * (k + 1) + w] = -prices[k]
            if w:
                row[windows * (k + 1) + w - 1] = prices[k]
        return row, float(prices @ arrived[:, w])

    for w in range(windows):
        last = w == windows - 1
        for k, price in enumerate(tangents[:1] if last else tangents):
            row, constant = done(w, _prices(price) * scale / unit)
            row[w] = -1.0
            paid = 0.0 if last else price.time * fleet.size * float(length[w]) / unit
            rows[f"tangent_{w}_{k}"] = (row, paid - constant)
        if not last:
            for k, backlog in enumerate(backlogs):
                row = np.zeros(size)
                row[w] = -1.0
                row[windows + w :: windows] = length[w] / unit * backlog.weights * scale
                rows[f"backlog_{w}_{k}"] = (row, float(backlog.late[w]) / unit)
            row, constant = done(w, np.array([seat_s, 1.0, 1.0]) * scale)
            rows[f"time_{w}"] = (row / unit_s, (fleet.size * float(length[w]) - constant) / unit_s)
        for name, prices in (("low", [low, -1.0, 0.0]), ("high", [-high, 1.0, 0.0])):
            row, constant = done(w, np.array(prices) * scale)
            rows[f"{name}_{w}"] = (row / unit_s, -constant / unit_s)
        for k in range(3):
            row, constant = done(w, np.eye(3)[k])
            rows[f"progress_{w}_{k}"] = (-row, constant)
    present = np.minimum(np.cumsum(arrived, axis=1) * (1 + 1e-9), 1.0)
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
    """A measure of what is left, scaled so that no request ever has more than one.

    `weights` are per unit of the three amounts; `arrived` counts what has arrived by the end of each window, `late`
    integrates over each window what has not yet arrived of what arrives within it.
    """

    weights: Floats
    arrived: Floats
    late: Floats

    @classmethod
    def of(cls, progress: Progress, weights: Floats, window: Ints, after_s: Floats, windows: int) -> _Backlog:
        sizes = weights @ progress.amounts
        most = float(sizes.max())
        share = 1.0 / most if most > 0 else 0.0
        arrived = np.cumsum(np.bincount(window, sizes * share, windows))
        return cls(weights * share, arrived, np.bincount(window, sizes * share * after_s, windows))


def _prices(price: Tangent) -> Floats:
    return np.array([price.participation, price.work, 1.0 + price.time])


def _candidates(workload: Workload, fleet: Fleet) -> list[tuple[float, Progress, tuple[Tangent, ...]]]:
    """For each minorant with a base, what its best single price gives, and tangents around that price."""
    hw = fleet.hardware
    shortest = int(workload.input_tokens.min())
    mixtures = standalone(sound_minorants(hw.service, shortest))
    blends = (mix(pair, (0.5, 0.5)) for pair in combinations(mixtures, 2))
    most = max(1, min(hw.max_num_seqs, usable_tokens(hw) // shortest))
    time_s = fleet.size * max(workload.span_s, planning_makespan_s(workload, fleet))
    found = []
    for minorant in (*mixtures, *blends):
        if minorant.base_s <= 0:
            continue
        progress = Progress.of(workload, minorant)
        mean = progress.amounts[1].sum() / progress.amounts[0].sum()

        def price(crowd: float, progress: Progress = progress, mean: float = mean) -> Tangent | None:
            time = mean * crowd * crowd / progress.minorant.base_s
            return tangent(progress.minorant, progress.low, progress.high, most, crowd, time)

        alone = tangent(minorant, progress.low, progress.high, most, 1.0, 0.0)
        assert alone is not None  # its price of participation is the base
        best, crowd = progress.value(alone), 1.0
        for size in np.geomspace(1.0, max(most, 2), 60).tolist():
            at = price(size)
            if at is not None and (value := progress.value(at) - at.time * time_s) > best:
                best, crowd = value, size
        near = (price(max(1.0, crowd * factor)) for factor in _NEAR)
        found.append((best, progress, (alone, *(t for t in near if t is not None))))
    return found


def _edges(workload: Workload, fleet: Fleet) -> Floats:
    """Starts of the windows: even over the arrivals, then over twice the least time to drain."""
    first = float(workload.arrival_s[0])
    span = workload.span_s
    drain = 2.0 * (planning_makespan_s(workload, fleet) - span)
    drain += float(np.mean(CriticalPaths.of(workload, fleet).latency_s))
    starts = first + np.concatenate(
        [np.linspace(0.0, span, _WINDOWS, endpoint=False), span + np.linspace(0.0, drain, _DRAIN + 1)]
    )
    return np.unique(starts)
