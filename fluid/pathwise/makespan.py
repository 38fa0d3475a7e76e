"""How long it takes at least to complete every request of a sample path."""

from __future__ import annotations

import numpy as np

from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.latency import kv_volume
from fluid.pathwise.minorants import sound_minorants, standalone
from orsched.fitting import usable_tokens
from orsched.fleet import Fleet
from orsched.work import Floats
from orsched.workloads import Workload


def planning_makespan_s(workload: Workload, fleet: Fleet) -> float:
    """Lower bound on the time from the first arrival to the last completion, from the planning LP; seconds.

    Requests that arrive at or after ``t`` are worked on after ``t`` only. With every one of them to be
    served, the planning LP over the time left is a programme in the number of iterations N alone:

        least H with  n H >= W_m + alpha_m N for every minorant m,   N >= max(vol / C, seats / B_max),

    where W_m, vol and seats are sums over the set and n is the number of instances (over all instances the
    iterations' durations add up to at most ``n H``; each holds at most C tokens and B_max requests). Its
    value is the largest ``W + alpha N_0`` over the mixtures with base >= 0 (`fluid.pathwise.minorants.standalone`).
    So the makespan is at least ``t - a_0 + H(t)`` for every arrival time t: suffix sums, O(n).

    Suffix sums of n non-negative floats err by less than n units of 1.2e-16 relative; the sums are reduced
    by that.
    """
    hw = fleet.hardware
    work = workload.work
    shave = 1.0 - 2.0 * len(workload) * np.finfo(float).eps
    volume = kv_volume(workload.input_tokens, workload.output_tokens, hw.block_tokens) / usable_tokens(hw)
    iterations = np.maximum(_suffix(volume), _suffix(work.iterations / hw.max_num_seqs))
    after = workload.arrival_s - workload.arrival_s[0]
    mixtures = standalone(sound_minorants(hw, int(workload.input_tokens.min())))
    return max(
        float(np.max(after + shave / fleet.size * (_suffix(m.work_s(work)) + m.base_s * iterations))) for m in mixtures
    )


def _suffix(values: Floats) -> Floats:
    """Sum ``values[i:]`` for every i."""
    sums: Floats = np.cumsum(values[::-1])[::-1]
    return sums


def least_makespan_s(workload: Workload, fleet: Fleet) -> float:
    """Lower bound on any makespan a simulator measures: `planning_makespan_s`, the last critical path's end; s."""
    after = workload.arrival_s - workload.arrival_s[0]
    alone = float(np.max(after + CriticalPaths.of(workload, fleet).latency_s))
    return max(alone, planning_makespan_s(workload, fleet)) - clock_allowance_s(workload)


def clock_allowance_s(workload: Workload) -> float:
    """Seconds that a difference of two readings of a double-precision clock may err by, over a simulated run.

    Matters for arrival times counted from long ago, such as seconds since 1970: there one unit in the last
    place is 2.4e-7 s.
    """
    return 1e-14 * float(np.abs(workload.arrival_s).max())
