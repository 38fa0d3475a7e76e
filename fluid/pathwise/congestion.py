"""The congestion bound: mean latency from the price of the time that crowded iterations take."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from fluid.certify import certify
from fluid.pathwise.congestion_lp import congestion_programme
from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.makespan import planning_makespan_s
from fluid.pathwise.minorants import sound_minorants, standalone
from fluid.pathwise.participations import Participations
from fluid.pathwise.prefill_delay import PrefillDelay
from fluid.programme import SolverError, solve
from orsched.fleet import Fleet
from orsched.work import Floats
from orsched.workloads import Workload

_WINDOWS = 48
_DRAIN = 12
_RATIO = 2.0**0.5
_LEAST, _MOST = -14, 40
_FAVOUR = 1.03
"""What one price promises is nearer to the programme's value where prefills are set apart: a rule of thumb."""
_WORTH_A_LOOK = 0.03
"""Setting prefills apart loses about this share of what participations promise; less is not worth a table of modes."""
_NEAR = tuple(_RATIO**step for step in (-4, -1, 0, 1, 4))


def congestion_bound_s(workload: Workload, fleet: Fleet) -> tuple[Fraction, dict[str, Any]]:
    """Lower bound on the sum of latencies, proved by a dual vector in exact arithmetic.

    *One price.* Give a second of an instance the price c, and each kind of participation a worth such that every
    iteration, of length T with b participants, pays for what it makes: ``b T + c T >= sum_k worth_k made_k``
    (`fluid.pathwise.participations.Participations`). Add that up over all iterations: the sum of ``b T`` is at most
    the sum of latencies, because a participant is in the system during the whole iteration, and on n
    instances the iterations within a period of length A last at most ``n A`` together. So, if everything
    were done within A,

        sum of latencies >= sum_k worth_k(c) done_k - c n A        for every c >= 0:

    work done in small batches uses up time that is not there, work done in large ones delays its
    participants. ``c = 0`` gives the critical paths. For long stationary paths the best c gives the hull of the
    mode LP (`fluid.modes.hull_latency`).

    *Windows.* A policy may leave some of it until after the last arrival, where time has no price. So the
    time axis is cut into windows, the last one unbounded, and a linear programme chooses how much of each
    kind is done in each, ``d_wk``. ``y_w`` is the presence in window w (the integral of the number in
    system), ``R_w`` what has arrived and is not done at its end:

        minimise  sum_w y_w   subject to
        y_w >= sum_k worth_k(c) d_wk - c n len_w + z_w                     for several prices c   (price)
        y_w >= len_w v R_w - integral of v (what arrives later in w)       for several v          (backlog)
        sum_k seconds_k d_wk <= n len_w                                                           (time)
        d_w = R_{w-1} + arrived_w - R_w >= 0,   R >= 0,   R_last = 0                              (progress)
        z_1 + .. + z_w >= Z_w                                                                     (prefill)

    where in the last window only ``c = 0`` holds and neither backlog nor time counts. Any policy's schedule
    is feasible. An iteration across an edge is split in proportion to time, and every row is linear in its
    parts. Time: seconds are worths with ``T >= sum_k seconds_k made_k`` in every iteration. Backlog: v weighs amounts
    so that no request has more than one unit, hence the number in system is at least ``v R(t)`` at every instant, and
    ``R(t)`` is at least what has arrived by t less what is done by the end of the window. So the optimum is a
    lower bound, and so is the value of any dual vector (`fluid.certify.certify`), which is what is returned.

    *Two readings of a prefill.* Read as a participation like others, with ``z = 0``. On one instance there is a
    better reading: it keeps all waiting who are present, N, not only those who take part. Let ``π`` be the part of
    T granted to prompt tokens that is set apart (`Participations.apart`), and ``g U`` at most the number of requests
    whose prompt is not finished (`fluid.pathwise.prefill_delay.PrefillDelay`). They are present besides the b
    that emit later tokens, so

        (N + c) T >= (b + c) (T - π) + c π + N π + g U (T - π) >= sum_k worth_k made_k + N π + g U (T - π),

    and ``z_w`` is the increase over window w of ``Z(t) = integral of N dE + g U (dt - dE)``: never negative, and at
    least ``Z_w`` in all. Both readings give bounds; the one that promises more at one price is solved.

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
        Kinds, their worths at each price of time, windows, what prefills cost by the end of each, dual vector.
    """
    starts = window_starts(workload, fleet)
    period_s = fleet.size * max(workload.span_s, planning_makespan_s(workload, fleet))
    guess = _likely_step(workload, fleet, period_s)
    progress, delay = _reading(workload, fleet, starts, _RATIO**guess, period_s)
    price = best_price(progress, period_s, guess)
    prices = (0.0, *(price * factor for factor in _NEAR))
    lp = congestion_programme(workload, fleet, progress, prices, starts, delay)
    solution = solve(lp)
    if solution.duals is None:
        raise SolverError(f"congestion programme: HiGHS says {solution.status!r}; it is feasible and bounded")
    certificate = {
        "kinds": (*progress.kinds.products, "prefill set apart"),
        "prices": prices,
        "worths": tuple(tuple(progress.worths(c).tolist()) for c in prices),
        "window_starts_s": tuple(starts.tolist()),
        "prefill_delay_s": tuple(delay.tolist()),
        "duals": tuple(solution.duals.tolist()),
        "status": solution.status,
    }
    return max(-certify(lp, solution.duals), Fraction(0)), certificate


def _reading(
    workload: Workload, fleet: Fleet, starts: Floats, price: float, period_s: float
) -> tuple[Participations, Floats]:
    """Choose how to read prefills; with what they cost those present, by the end of each window."""
    plain, nothing = Participations.of(workload, fleet.hardware), np.zeros(len(starts))
    if fleet.size > 1:
        return plain, nothing
    apart = Participations.apart(workload, fleet.hardware)
    mixtures = standalone(sound_minorants(fleet.hardware, int(workload.input_tokens.min())))
    delay, likely = PrefillDelay.best(workload, mixtures, apart.floor)
    promise = plain.promise(price, period_s)
    if likely <= _WORTH_A_LOOK * promise or _FAVOUR * (apart.promise(price, period_s) + likely) <= promise:
        return plain, nothing
    return apart, delay.upto_s(workload, starts[1:])


def best_price(progress: Participations, period_s: float, guess: int = 0) -> float:
    """Climb to the price of time that promises most over a period, from a guess (a power of the square root of 2).

    What a price promises is concave in it: worths are optima of a linear programme whose right-hand side is
    affine in the price.
    """

    def gives(step: int) -> float:
        return progress.promise(_RATIO**step, period_s)

    step, best = guess, gives(guess)
    for direction in (1, -1):
        while _LEAST < step < _MOST and (more := gives(step + direction)) > best:
            step, best = step + direction, more
    return _RATIO**step


def _likely_step(workload: Workload, fleet: Fleet, period_s: float) -> int:
    """Guess the best price from one minorant and the mean decode: ``phi_c(x) = (sqrt(alpha) + sqrt(c x))^2``."""
    minorant = max(fleet.hardware.service.affine_minorants(), key=lambda m: m.base_s)
    tokens = float(np.sum(workload.output_tokens))
    work = float(np.sum(minorant.work_s(workload.work)))
    idle = max(period_s - work, 0.02 * period_s)
    price = max(minorant.base_s, 0.0) * tokens / idle * (work / idle)
    return int(np.clip(round(math.log(max(price, 1e-9), _RATIO)), _LEAST + 1, _MOST - 1))


def window_starts(workload: Workload, fleet: Fleet) -> Floats:
    """Windows of equal length over the arrivals, then over twice the least time to drain."""
    span = workload.span_s
    drain = 2.0 * max(planning_makespan_s(workload, fleet) - span, 0.0)
    drain += float(np.mean(CriticalPaths.of(workload, fleet).latency_s))
    arriving = np.linspace(0.0, span, min(_WINDOWS, len(workload)), endpoint=False)
    draining = span + np.linspace(0.0, drain, min(_DRAIN, 2 + len(workload)) + 1)
    return np.unique(float(workload.arrival_s[0]) + np.concatenate([arriving, draining]))
