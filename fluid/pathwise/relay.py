"""Most requests on time when each in turn carries the base of all iterations."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fluid.pathwise.deadlines import Deadlines
from fluid.pathwise.latency import Choice, job_sizes_s
from orsched.service import Minorant
from orsched.work import Floats, Ints

_LEAVES = 64
"""Most pieces into which a path is cut, a power of two."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A way to count iterations; every choice is valid.

    A request that is on time takes part in at least o iterations between its arrival and its deadline, and
    *everybody's* work has to fit beside the bases of those: a long answer forces short iterations on all.
    `fluid.pathwise.sharing` charges the base of an iteration to those who take part in it and so lets every
    request choose its own length of iteration. Here it is charged to who is longest.

    *Slots.* Let L be a limit, cut the arrivals into slots of length ``g >= L / r``, and let ``0 <= t <= 2``. The
    window of a slot starts ``t g / 2`` after the slot and ends ``t g / 2`` before ``g + L`` after its start,
    so that an iteration is inside at most ``r + 1 - t`` of these windows. A request that is on time, arrived in
    the slot and has a limit of at most L spends at most ``t g / 2`` between arrival and deadline outside the
    window, which is the time of at most ``t g / (2 alpha)`` iterations; two more may stick out. If such
    requests have up to ``o_s`` tokens to emit, there are hence at least ``h_s = o_s - t (g / (2 alpha) + 2)``
    iterations inside the window, and at least ``sum_s max(0, h_s) / (r + 1 - t)`` in all. Long windows count few
    iterations per second, short ones lose some at their ends.

    *Time.* Add ``T >= alpha + works`` over all iterations of all n instances between the first arrival and the
    last deadline, H apart. With p_i the works of a request up to its deadline,

        sum over those on time of p_i + c sum_s max(0, h_s) <= n H,      c = alpha / (r + 1 - t).

    *Bound.* Call a request worth q seconds. By the line above, for the set S that is on time,

        q |S| <= n H + sum_s ( sum over S in s of (q - p_i) - c max(0, h_s) )
              <= n H + sum_s max(0, max over h of (sum over i in s with h_i <= h of max(0, q - p_i) - c h)),

    because, given the longest that is on time, nothing is better than to take every shorter one that pays. The right
    side over q, rounded down, is the bound. It is computed in integers, releases and sizes rounded down and limits
    up. The path may be cut into pieces of consecutive slots, each with its own time and its own bound.

    Parameters
    ----------
    minorant : Minorant
        Sound, with base alpha > 0.
    slots : int
        ``r >= 2``.
    trim : int
        ``t`` in {0, 1, 2}.
    reach : float
        L is this quantile of the limits; in (0, 1].
    worth : float
        q, as a multiple of the time there is for each request.
    """

    minorant: Minorant
    slots: int
    trim: int
    reach: float
    worth: float

    def most_on_time(self, deadlines: Deadlines) -> int:
        """Upper bound on the requests that any policy serves on time."""
        rows = np.flatnonzero(deadlines.possible)
        if not len(rows):
            return 0
        base_s = self.minorant.base_s
        start_s = deadlines.workload.arrival_s[rows] - float(deadlines.workload.arrival_s[rows[0]])
        limit_s, emitted = deadlines.limit_s[rows], deadlines.emitted[rows]
        time_s = deadlines.fleet.size * float(np.max(start_s + limit_s))
        worth_s = self.worth * time_s / len(rows)
        bits = 58 - int(np.frexp(time_s * (1 + self.worth) + base_s * float(np.max(emitted)))[1])
        start, limit = _ticks(start_s, bits), _ticks(limit_s, bits) + 1
        size = _ticks(np.minimum(self._works_s(deadlines)[rows], 2 * worth_s), bits)
        worth, base = int(_ticks(np.array(worth_s), bits)) + 1, int(_ticks(np.array(base_s), bits))
        reach = int(np.sort(limit)[math.ceil(self.reach * len(limit)) - 1])
        length = -(-reach // self.slots)
        outside = self.trim * (length // (2 * max(base, 1)) + 3)
        inside = np.where(limit <= reach, np.maximum(emitted - outside, 0), 0)
        slots = _Slots.of(
            slot=start // length,
            carried=inside * (base // (self.slots + 1 - self.trim)),
            gain=np.maximum(worth - size, 0),
            start=start,
            due=start + 1 + limit,
        )
        return slots.most(worth, deadlines.fleet.size)

    def _works_s(self, deadlines: Deadlines) -> Floats:
        workload, hw = deadlines.workload, deadlines.fleet.hardware
        bare = Choice(replace(self.minorant, base_s=0.0), 0.0, 1.0)
        return job_sizes_s(bare, workload.input_tokens, deadlines.emitted, hw)


def _ticks(time_s: Floats, bits: int) -> Ints:
    ticks: Ints = np.floor(np.ldexp(time_s, bits)).astype(np.int64)
    return ticks


@dataclass(frozen=True, slots=True, eq=False)
class _Slots:
    """Slots that hold a request, in order; all in ticks. `surplus`: most that a slot can add to the bound."""

    slot: Ints
    count: Ints
    surplus: Ints
    start: Ints
    due: Ints

    @classmethod
    def of(cls, slot: Ints, carried: Ints, gain: Ints, start: Ints, due: Ints) -> _Slots:
        """Collect requests in the order of arrival."""
        firsts = np.flatnonzero(np.diff(slot, prepend=-1))
        ends = np.append(firsts[1:], len(slot))
        order = np.lexsort((-carried, slot))
        sums = np.concatenate([[0], np.cumsum(gain[order])])
        shorter = np.repeat(sums[ends], ends - firsts) - sums[:-1]
        surplus = np.maximum(np.maximum.reduceat(shorter - carried[order], firsts), 0)
        return cls(slot[firsts], ends - firsts, surplus, start[firsts], np.maximum.reduceat(due, firsts))

    def most(self, worth: int, speed: int) -> int:
        """Bound for the best nested cut of the path into halves, quarters, and so on."""
        leaf = self.slot * _LEAVES // (self.slot[-1] + 1)
        count, surplus, due = (np.zeros(_LEAVES, dtype=np.int64) for _ in range(3))
        start = np.full(_LEAVES, np.max(self.due))
        np.add.at(count, leaf, self.count)
        np.add.at(surplus, leaf, self.surplus)
        np.minimum.at(start, leaf, self.start)
        np.maximum.at(due, leaf, self.due)
        best = count
        while True:
            time = speed * np.maximum(due - start, 0)
            best = np.minimum(best, (surplus + time) // worth)
            if len(best) == 1:
                return int(best[0])
            best, surplus = best.reshape(-1, 2).sum(axis=1), surplus.reshape(-1, 2).sum(axis=1)
            start, due = start.reshape(-1, 2).min(axis=1), due.reshape(-1, 2).max(axis=1)
