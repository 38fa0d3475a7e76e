"""What no placement of decoding requests can go below: perfect balance, and what whole requests add to it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from fluid.fleets.balance import BalanceCase
from orsched.bound import Bound
from orsched.work import Floats, Ints

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class BalanceBounds:
    """Lower bounds for every placement; see `balance_bounds`.

    Parameters
    ----------
    average_s : ndarray of float64, shape (rounds,)
        On the longest iteration of each round, from perfect balance alone; 0 where no job is alive.
    whole_s : ndarray of float64, shape (rounds,)
        The same with whole requests taken into account; at least `average_s`.
    overflow_tokens : ndarray of int64, shape (rounds,)
        KV tokens that fit nowhere even in perfect balance.
    evictions : ndarray of int64, shape (rounds,)
        Fewest jobs that must be absent for the rest to fit in perfect balance.
    """

    average_s: Floats
    whole_s: Floats
    overflow_tokens: Ints
    evictions: Ints

    @property
    def worst_s(self) -> float:
        """Bound on the longest iteration of all."""
        return float(self.whole_s.max())

    @property
    def mean_s(self) -> float:
        """Bound on the mean over rounds of the longest iteration of each."""
        return float(self.whole_s.mean())

    def bounds(self, subject: str = "") -> tuple[Bound, Bound]:
        """Return them as `Bound` on ``worst_gap_s`` and ``mean_worst_gap_s``; certified by construction."""

        def lower(metric: str, value: float) -> Bound:
            return Bound("perfect-balance", value * (1 - _TOLERANCE), "lower", metric, "pathwise", True, subject)

        return lower("worst_gap_s", self.worst_s), lower("mean_worst_gap_s", self.mean_s)

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per round."""
        columns = (self.average_s, self.whole_s, self.overflow_tokens, self.evictions)
        names = ("average_s", "whole_s", "overflow_tokens", "evictions")
        return [
            {"round": t, **dict(zip(names, values, strict=True))}
            for t, values in enumerate(zip(*(c.tolist() for c in columns), strict=True))
        ]


def balance_bounds(case: BalanceCase) -> BalanceBounds:
    """Bound the longest iteration of every round from below, for any placement and any migrations.

    **Class.** All policies under which every alive job takes part, in each round, in the iteration of exactly
    one of the m instances (no pausing, no eviction); migrations may be free and unlimited, output lengths
    known. Memory is ignored here; a placement that keeps it is only more restricted. The same holds at
    any instant of an asynchronous system for the requests then present, if none of them is paused.

    **Proof.** Take a minorant ``T >= alpha + sum of w_j over the batch`` with ``w_j = gamma + delta k_j``. The
    weights on the m instances add up to ``W = sum w_j``, so some instance has at least the average:
    ``max T >= alpha + W / m``. Sort the weights in decreasing order, and take any ``k >= 0`` with ``k m + 1`` jobs
    or more alive: of the ``k m + 1`` heaviest some instance holds at least ``k + 1`` (pigeonhole), and any ``k +
    1`` of them weigh at least as much as the ``k + 1`` lightest of them, so ``max T >= alpha + w_(km - k + 1) + ...
    + w_(km + 1)``. ``k = 0`` is the heaviest job, ``k = 1`` the pair m, m + 1. The largest over k, minorants and
    average is taken. Mean and maximum over rounds are monotone, hence bounded too.

    *Memory.* The jobs hold ``R`` tokens at the end of the round; ``m C`` fit. ``R - m C`` is the overflow in perfect
    balance, and removing jobs in decreasing size until the rest is at most ``m C`` removes the fewest.

    Examples
    --------
    >>> from orsched import Fleet, Hardware
    >>> from orsched.service import Affine
    >>> from fluid.fleets.balance import jobs_of
    >>> fleet = Fleet.identical(Hardware("gpu", Affine(0.01, 0, 0, 1e-6), 100_000), 2)
    >>> found = balance_bounds(BalanceCase(jobs_of([3000, 3000, 3000], [1, 1, 1]), fleet))
    >>> round(float(found.average_s[0]), 6), round(found.worst_s, 6)
    (0.0145, 0.016)
    """
    m, held = case.fleet.size, case.held()
    room = m * case.usable_tokens()
    average, whole = np.zeros(case.rounds), np.zeros(case.rounds)
    for base, weights in case.minorant_weights():
        for t in np.flatnonzero(held.any(axis=0)).tolist():
            mean, pigeonhole = heaviest_share(weights[held[:, t] > 0, t], m)
            average[t] = max(average[t], base + mean)
            whole[t] = max(whole[t], base + max(mean, pigeonhole))
    overflow = np.maximum(held.sum(axis=0) - room, 0)
    return BalanceBounds(average, whole, overflow, np.array([_fewest(column, room) for column in held.T]))


def heaviest_share(weights: Floats, m: int) -> tuple[float, float]:
    """Two lower bounds on the largest weight of m parts of a set: the average, and the pigeonhole.

    The latter is the largest over k of the sum of the k + 1 lightest of the k m + 1 heaviest.

    Parameters
    ----------
    weights : ndarray of float64
        At least one, >= 0.
    m : int
        Parts, >= 1.
    """
    ordered = sorted(weights.tolist(), reverse=True)
    totals = [0.0, *accumulate(ordered)]
    pigeonhole = max(totals[k * m + 1] - totals[k * m - k] for k in range((len(ordered) - 1) // m + 1))
    return totals[-1] / m, pigeonhole


def _fewest(held: Ints, room: int) -> int:
    """Fewest entries to remove so that the rest adds up to at most `room`."""
    left = np.concatenate(([held.sum()], held.sum() - np.cumsum(np.sort(held)[::-1])))
    return int(np.argmax(left <= room))
