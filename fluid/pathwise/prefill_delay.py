"""What prefills cost the requests that are present: a part of the congestion bound."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from fluid.pathwise.participations import prefill_s
from orsched.service import Minorant
from orsched.work import Floats, Ints
from orsched.workloads import Workload

_SAMPLE = 300
_CAPS = (1.0, 0.75)
_SLOPES = (1.3, 2.2)
_CELLS = 200_000
_TAIL = 64
_PARTS = 3
_LOOK = 400
_LEVEL = 1e-11
_ROUNDING = 2.0**-49


@dataclass(frozen=True, slots=True)
class PrefillDelay:
    """Lower bounds on the request-seconds spent in the system while prefills run or wait, on one instance.

    Let ``N(t)`` be the number in the system, and let each prompt have a designated part ``p_i`` of the
    work that every minorant grants it (`floor`; ``most_s`` at most). E is the designated work executed so
    far, spread evenly over each iteration (so ``dE <= dt``), ``U(t)`` what has arrived and is not executed, ``g = 1 /
    max p_i``. The quantity bounded is

        Z(t) = integral up to t of N dE + g U (dt - dE),

    and `upto_s` tells what it is worth to the congestion bound: `fluid.pathwise.congestion`.

    *Who is surely present.* Let request j be gone at t. Each of its ``o_j`` tokens took an iteration within
    its stay, which lasted at least ``alpha`` plus j's own work for the token, plus the prefill work executed
    in it; the rest of the time up to t lasted at least the prefill work executed then. With
    ``r_j = alpha o_j + (decode work of j) + (undesignated prefill work of j)``, therefore,

        t - a_j >= r_j + E(a_j, t] >= r_j + P[a_j, t] - U(t),

    where ``P[a_j, t]`` is the designated work that arrived with or after j: it is executed after ``a_j``, and
    all but ``U(t)`` of it by t. So ``N(t) >= nu_t(U(t))``, where ``nu_t(u)`` counts the j that have arrived with
    ``r_j + P[a_j, t] - (t - a_j) > u``. For any slope ``s >= 0`` let ``nu_t`` be the minimum over u of
    ``nu_t(u) + s u``; then ``N(t) >= nu_t - s U(t)`` and

        Z >= integral of nu_t dE + g U dt - (s + g) U dE.

    *Request by request.* ``integral U dE`` is a sum over pairs. Request i alone contributes ``p_i^2 / 2``; for
    i before j, ``U_i dE_j + U_j dE_i = -d(U_i U_j)`` adds up to at most ``p_j`` times what is left of i when j
    arrives. Charge that to the work of i that is still waiting then. So a unit of i's work that is executed
    at ``sigma`` contributes at least

        nu_sigma + g (sigma - a_i) - (s + g) P(a_i, sigma)  =:  gamma(sigma) - gamma_i,

    with gamma the same function for every i: what matters is its least value over ``sigma >= a_i``. Up to a
    time t, work not yet executed contributes the same without ``nu`` at ``sigma = t``. Whatever the policy does, then,

        Z(t) >= sum over arrivals before t of p_i (min(min over a_i <= sigma <= t of gamma(sigma),
                g t - (s + g) P(t)) - gamma_i) - (s + g) p_i^2 / 2.

    Waiting costs g per unit and second, and it is the only way to meet fewer requests. Any ``s >= 0`` and
    any designation is valid.

    Parameters
    ----------
    minorant : Minorant
        Sound, base >= 0; says how long j stays.
    floor : Minorant
        Work granted to prompts, no more than `minorant` grants.
    most_s : float
        Designated work per prompt is what it is granted, at most this, seconds, > 0.
    slope_per_s : float
        s, requests per second of waiting work.
    """

    minorant: Minorant
    floor: Minorant
    most_s: float
    slope_per_s: float

    @classmethod
    def best(cls, workload: Workload, mixtures: Sequence[Minorant], floor: Minorant) -> tuple[PrefillDelay, float]:
        """Find a good minorant, designation and slope, on at most 300 consecutive requests; any choice is valid.

        Parameters
        ----------
        workload : Workload
            The sample path.
        mixtures : sequence of Minorant
            Sound, base >= 0 (`fluid.pathwise.minorants.standalone`).
        floor : Minorant
            Work that every minorant grants to prompts.

        Returns
        -------
        delay : PrefillDelay
        likely : float
            About what it will be worth on the whole path, request-seconds; not a bound.
        """
        n = len(workload)
        start = max(0, (n - _SAMPLE) // 2)
        sample = workload.slice(start, min(n, start + _SAMPLE))
        work_s = prefill_s(workload, floor)
        minorant = max(mixtures, key=lambda m: float(np.sum(_stay_s(workload, m))))
        rate = len(sample) / max(sample.span_s, 1e-9)
        phi = min(rate * float(np.mean(work_s)), 0.8)
        caps = {float(np.quantile(work_s, q)) for q in _CAPS} - {0.0} or {1.0}
        candidates = [cls(minorant, floor, cap, f * rate / (1 - phi)) for cap, f in product(sorted(caps), _SLOPES)]
        end = np.array([float(sample.arrival_s[-1])])
        worth = {c: float(c.upto_s(sample, end)[-1]) for c in candidates}
        best = max(candidates, key=worth.__getitem__)
        return best, worth[best] * n / len(sample)

    def upto_s(self, workload: Workload, times_s: Floats) -> Floats:
        """Lower bounds on ``Z(t)`` at the given times, and on its final value.

        Parameters
        ----------
        workload : Workload
            The sample path.
        times_s : ndarray of float64, shape (k,)
            Increasing, after the first arrival.

        Returns
        -------
        ndarray of float64, shape (k + 1,)
            Request-seconds, >= 0; the last one bounds the whole.
        """
        path = _Path.of(workload, self)
        g, loss = 1 / path.longest_s, self.slope_per_s + 1 / path.longest_s
        times = times_s - workload.arrival_s[0]
        least = np.full(len(workload), np.inf)
        own = path.work_s * (loss * path.arrived_s[1:] - g * path.arrival_s) - loss * path.work_s**2 / 2
        rounding = _ROUNDING * float(np.sum(path.work_s)) * (len(workload) + (g + loss) * float(path.edges_s[-1]))
        found = []
        first = 0
        for t in (*times.tolist(), np.inf):
            last = int(np.searchsorted(path.edges_s[1:], t, side="left"))
            cells = slice(first, min(last + 1, len(path.gamma)))
            _lower(least, path.first_cell, path.gamma[cells], first)
            first = min(last, len(path.gamma))
            here = int(np.searchsorted(path.arrival_s, t, side="left"))
            end_s = min(t, float(path.edges_s[-1]))
            unexecuted = g * end_s - loss * float(path.arrived_s[here])
            total = path.work_s[:here] @ np.minimum(least[:here], unexecuted) + np.sum(own[:here])
            found.append(max(float(total) - rounding, 0.0))
        return np.array(found)


def _lower(least: Floats, first_cell: Floats, gamma: Floats, offset: int) -> None:
    """Take the minimum of gamma over the given cells, from a request's first cell on."""
    if not len(gamma):
        return
    suffix = np.minimum.accumulate(gamma[::-1])[::-1]
    old = int(np.searchsorted(first_cell, offset, side="right"))
    new = int(np.searchsorted(first_cell, offset + len(gamma), side="left"))
    np.minimum(least[:old], suffix[0], out=least[:old])
    within = first_cell[old:new].astype(np.int64) - offset
    np.minimum(least[old:new], suffix[within], out=least[old:new])


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """A sample path cut into cells, with a lower bound on gamma in each; times count from the first arrival.

    `arrived_s[i]` is the designated work of the first i requests; a request's cells start at `first_cell`.
    """

    arrival_s: Floats
    work_s: Floats
    arrived_s: Floats
    longest_s: float
    edges_s: Floats
    gamma: Floats
    first_cell: Floats

    @classmethod
    def of(cls, workload: Workload, delay: PrefillDelay) -> _Path:
        designated = np.minimum(prefill_s(workload, delay.floor), delay.most_s)
        longest = max(float(designated.max()), 1e-12)
        stay = np.maximum(_stay_s(workload, delay.minorant) - designated, 0.0)
        arrival = workload.arrival_s - workload.arrival_s[0]
        arrived = np.concatenate([[0.0], np.cumsum(designated)])
        edges = _edges(arrival, float(stay.max()) + float(designated.sum()))
        before = np.searchsorted(arrival, edges, side="right").astype(np.int64)
        presence = _present(stay - arrived[:-1] + arrival, arrived, edges, before, delay.slope_per_s)
        loss = delay.slope_per_s + 1 / longest
        ends = np.searchsorted(arrival, edges[1:], side="left")
        gamma = presence + edges[:-1] / longest - loss * arrived[np.maximum(ends, before[:-1])]
        first = np.searchsorted(edges, arrival, side="right") - 1.0
        return cls(arrival, designated, arrived, longest, edges, gamma, first)


def _edges(arrival: Floats, stay: float) -> Floats:
    """Cells: a few between any two arrivals, 200,000 at most, then a tail in which everyone may leave."""
    distinct = np.unique(arrival)
    if len(distinct) > _CELLS:
        distinct = np.unique(np.concatenate([np.linspace(0.0, arrival[-1], _CELLS), distinct[-1:]]))
    parts = max(min(_PARTS, _CELLS // len(distinct)), 1)
    inner = distinct[:-1, None] + np.diff(distinct)[:, None] * (np.arange(parts) / parts)
    tail: Floats = arrival[-1] + stay * np.linspace(0, 1, _TAIL + 1) ** 2
    return np.unique(np.concatenate([inner.ravel(), tail]))


def _present(key: Floats, arrived: Floats, edges: Floats, before: Ints, slope: float) -> Floats:
    """``nu`` at its lowest in each cell: arrivals up to the cell's start, time and arrived work at its end.

    Request j has ``r_j + P[a_j, t] - (t - a_j) = key_j - level(t)`` with ``level(t) = t - P(t)``.
    """
    starts = before[:-1]
    levels = edges[1:] - arrived[starts]
    levels = levels + _LEVEL * (1 + edges[1:] + arrived[starts])
    lowest_to_come = np.minimum.accumulate(levels[::-1])[::-1]
    keys: list[float] = []
    ordered = key.tolist()
    joined, found = 0, np.empty(len(levels))
    for cell, (start, level, lowest) in enumerate(zip(starts.tolist(), levels.tolist(), lowest_to_come, strict=True)):
        for value in ordered[joined:start]:
            insort(keys, value)
        joined = start
        del keys[: bisect_right(keys, lowest)]
        gone = bisect_right(keys, level)
        slack = np.array(keys[gone : gone + _LOOK]) - level
        present = len(keys) - gone
        # The minimum over all u up to the last slack looked at; beyond it, s u alone is at least as much.
        left = present - 1 - np.arange(len(slack))
        beyond = slope * float(slack[-1]) if present > len(slack) else np.inf
        found[cell] = min(float(present), float(np.min(left + slope * slack, initial=beyond)))
    return found


def _stay_s(workload: Workload, m: Minorant) -> Floats:
    """Time that a request's own tokens take, its prompt included; seconds, shape ``(n,)``."""
    stay: Floats = m.base_s * workload.output_tokens + m.work_s(workload.work)
    return stay
