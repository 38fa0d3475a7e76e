"""WAIT with one type, in closed form: when each cohort starts."""

from __future__ import annotations

import numpy as np

from orsched.work import Floats
from proofs_check.heavy_traffic.paths import ArrivalPath
from proofs_check.heavy_traffic.served import Served


def cohort_starts(arrival_s: Floats, threshold: int, iteration_s: Floats) -> Floats:
    """Start times of WAIT's cohorts when there is one type.

    Cohort k (from 0) starts when its last prompt has arrived and the iteration before is done,
    ``s_k = max(a_{(k+1) n - 1}, s_{k-1} + d_{k-1})``, hence ``s_k = D_k + max_{i <= k} (a_{(i+1) n - 1} - D_i)`` with
    ``D_k = d_0 + ... + d_{k-1}``.

    Parameters
    ----------
    arrival_s : ndarray of float64, shape (requests,)
        Arrival times.
    threshold : int
        ``n``.
    iteration_s : ndarray of float64, shape (cohorts,)
        ``d_k``, duration of the k-th iteration; one per ``n`` arrivals, those over are left out.

    Returns
    -------
    ndarray of float64, shape (cohorts,)
    """
    complete = arrival_s[threshold - 1 :: threshold]
    before = np.cumsum(iteration_s) - iteration_s
    return np.asarray(before + np.maximum.accumulate(complete - before))


def serve_cohorts(path: ArrivalPath, threshold: int, d0: float, d1: float) -> Served:
    """What WAIT does to a path of one type with the paper's iteration time, without the engine.

    Prompts at the end of the path that would complete only after the last cohort has started have no completion here
    (infinite): the path must go on beyond what is measured.
    """
    (kind,) = path.types
    cohorts = len(path.arrival_s) // threshold
    stages = np.cumsum(kind.prompt_tokens + np.arange(kind.decode_steps + 1))
    filled = stages[np.minimum(np.arange(cohorts), kind.decode_steps)]
    iteration = d0 + d1 * threshold * filled
    starts = cohort_starts(path.arrival_s, threshold, np.asarray(iteration))
    ends = np.append(starts + iteration, np.full(kind.decode_steps + 1, np.inf))
    cohort = np.arange(len(path.arrival_s)) // threshold
    none = np.zeros(len(cohort), dtype=np.int64)
    return Served(path, ends[cohort], ends[cohort + kind.decode_steps], none)
