"""The load axis: load 1 is where the planning LP says that no policy can be stable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from orsched.fleet import Fleet
from orsched.work import RequestWork


@dataclass(frozen=True, slots=True)
class LoadTerms:
    """Per-second demands of a workload on one instance, the data of the load programme.

    Parameters
    ----------
    bases_s : tuple of float
        ``alpha_m`` of each minorant, seconds per iteration.
    works : tuple of float
        Iteration time per second without the base, for each minorant (dimensionless).
    iterations_per_s : float
        Least iterations per second that memory and batch size allow at rate one.
    """

    bases_s: tuple[float, ...]
    works: tuple[float, ...]
    iterations_per_s: float


def load_terms(rate_per_s: float, work: RequestWork, fleet: Fleet) -> LoadTerms:
    """Demands of `rate_per_s` requests per second with the empirical mix `work`, per instance of `fleet`."""
    hw = fleet.hardware
    per_instance = rate_per_s / fleet.size
    minorants = hw.service.affine_minorants()
    works = tuple(per_instance * float(np.mean(m.work_s(work))) for m in minorants)
    memory = float(np.mean(work.kv_volume)) / hw.kv_capacity_tokens
    seats = float(np.mean(work.iterations)) / hw.max_num_seqs
    return LoadTerms(tuple(m.base_s for m in minorants), works, per_instance * max(memory, seats))


def load(rate_per_s: float, work: RequestWork, fleet: Fleet) -> float:
    """Smallest ``s`` such that the rates divided by ``s`` lie in the planning LP's capacity region.

    With ``N`` iterations per second and the mix fixed, the fluid planning LP (docs/bounds.md, section 1)
    is: minimise ``s`` subject to ``work_m + alpha_m N <= s`` for every minorant ``m`` and ``N >= N_0``, the
    rate that memory-time and batch slots require. The objective is convex and piecewise linear in the one
    variable ``N``, so its minimum is at ``N_0`` or where two minorants cross; no solver is needed.
    `fluid.planning` solves the same programme as an LP, and a test holds the two equal.
    """
    return solve_load(load_terms(rate_per_s, work, fleet))


def solve_load(terms: LoadTerms) -> float:
    """Minimise ``max_m work_m + alpha_m N`` over ``N >= terms.iterations_per_s``."""

    def height(iterations: float) -> float:
        return max(w + a * iterations for w, a in zip(terms.works, terms.bases_s, strict=True))

    return min(height(n) for n in _candidates(terms.bases_s, terms.works, terms.iterations_per_s))


def _candidates(bases: Sequence[float], works: Sequence[float], least: float) -> list[float]:
    points = [least]
    for i, j in combinations(range(len(bases)), 2):
        if not math.isclose(bases[i], bases[j]):
            crossing = (works[j] - works[i]) / (bases[i] - bases[j])
            if crossing > least:
                points.append(crossing)
    return points
