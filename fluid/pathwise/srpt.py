"""Shortest remaining processing time on one machine, in exact integer arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from heapq import heappop, heappush

import numpy as np

from orsched.errors import InputError
from orsched.work import Floats


def srpt_flow_ticks(arrivals: Sequence[int], sizes: Sequence[int]) -> int:
    """Sum of flow times of preemptive SRPT on a machine of speed one; O(n log n).

    SRPT minimises the number of unfinished jobs at every instant (Schrage 1968), also against schedules
    that share the machine between jobs, hence it minimises the sum of flow times.

    Parameters
    ----------
    arrivals : sequence of int
        Release times in ticks, non-decreasing.
    sizes : sequence of int
        Processing times in ticks, >= 0.
    """
    if not arrivals:
        return 0
    heap: list[int] = []
    now, cost = arrivals[0], 0
    for arrival, size in zip(arrivals, sizes, strict=True):
        gap = arrival - now
        while heap and heap[0] <= gap:
            first = heap[0]
            cost += first * len(heap)
            gap -= first
            heappop(heap)
        if heap and gap:
            cost += gap * len(heap)
            heap[0] -= gap  # the least element stays the least
        now = arrival
        heappush(heap, size)
    for left, size in zip(range(len(heap), 0, -1), sorted(heap), strict=True):
        cost += left * size
    return cost


def srpt_flow_bound_s(arrival_s: Floats, size_s: Floats, speed: int = 1) -> Fraction:
    """Lower bound on the sum of flow times of jobs on a machine of speed `speed`, exact for the floats given.

    Times are rounded *down* to ticks of a power of two of a second, so the scheduled instance has no later
    release and no larger size than the given one: any schedule of the given instance is a schedule of
    it, and its optimum, computed without rounding, minus one tick per request for the release times moved
    forward, cannot exceed the true optimum. A machine of speed ``n`` is one of speed one with the clock
    running ``n`` times as fast: releases are multiplied by ``n`` and the result divided by it.

    Parameters
    ----------
    arrival_s : ndarray of float64, shape (n,)
        Release times in seconds, non-decreasing, >= 0.
    size_s : ndarray of float64, shape (n,)
        Processing times at speed one in seconds, >= 0.
    speed : int
        Number of instances, >= 1.

    Returns
    -------
    Fraction
        Seconds; never negative.

    Raises
    ------
    InputError
        When a time is not finite.
    """
    speed = int(speed)  # numpy's would overflow in exact arithmetic
    horizon = speed * float(arrival_s[-1]) + float(np.sum(size_s))
    if not math.isfinite(horizon):
        raise InputError("SRPT needs finite arrival times and sizes")
    bits = 60 - math.frexp(horizon)[1]  # every time is below 2**60 ticks
    releases = np.floor(np.ldexp(arrival_s, bits)).astype(np.int64) * speed
    sizes = np.floor(np.ldexp(size_s, bits)).astype(np.int64)
    cost = srpt_flow_ticks(releases.tolist(), sizes.tolist())
    ticks = Fraction(cost, speed) - len(releases)
    return max(ticks, Fraction(0)) * Fraction(2) ** -bits
