"""What a placement of decoding requests costs, evaluated with the service model itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fluid.fleets.balance import BalanceCase
from orsched.errors import InputError
from orsched.service import Batch
from orsched.work import Floats, Ints

NOWHERE = -1
"""Seat of a job in a period in which it does not take part."""


@dataclass(frozen=True, slots=True, eq=False)
class BalanceScore:
    """Consequences of a placement.

    Parameters
    ----------
    iteration_s : ndarray of float64, shape (instances, rounds)
        Iteration times; 0 where an instance has nothing to do.
    gap_s : ndarray of float64, shape (rounds,)
        Longest token gap of each round: the longest iteration, or that of a migrated job plus its downtime.
    held_tokens : ndarray of int64, shape (instances, rounds)
        KV tokens at the end of each round, in whole blocks.
    overflow_tokens : int
        Sum over instances and rounds of what exceeds the memory.
    crowded : int
        Instances and rounds with more requests than a batch may have.
    migrations : int
        Moves of jobs that were running, or had a home, elsewhere.
    """

    iteration_s: Floats
    gap_s: Floats
    held_tokens: Ints
    overflow_tokens: int
    crowded: int
    migrations: int

    @property
    def worst_gap_s(self) -> float:
        """Longest token gap of all, seconds."""
        return float(self.gap_s.max())

    @property
    def mean_worst_gap_s(self) -> float:
        """Mean over rounds of the longest gap of each, seconds."""
        return float(self.gap_s.mean())

    @property
    def fits(self) -> bool:
        """Whether memory and batch limits hold everywhere."""
        return self.overflow_tokens == 0 and self.crowded == 0


def score(case: BalanceCase, seats: Ints) -> BalanceScore:
    """Evaluate a placement.

    Parameters
    ----------
    case : BalanceCase
        Jobs and instances.
    seats : ndarray of int64, shape (jobs, periods)
        Instance of each job in each period; `NOWHERE` exactly where it does not take part.

    Raises
    ------
    InputError
        When a seat is missing, out of range, or given to a job that does not take part.
    """
    _check(case, seats)
    service, m = case.fleet.hardware.service, case.fleet.size
    reads, held = case.reads(), case.held()
    times, gaps = np.zeros((m, case.rounds)), np.zeros(case.rounds)
    memory, counts = np.zeros((m, case.rounds), dtype=np.int64), np.zeros((m, case.rounds), dtype=np.int64)
    for t in range(case.rounds):
        seat = np.where(reads[:, t] > 0, seats[:, t // case.period_rounds], NOWHERE)
        for i in range(m):
            here = seat == i
            counts[i, t], memory[i, t] = here.sum(), held[here, t].sum()
            if here.any():
                read = reads[here, t]
                batch = Batch(num_seqs=len(read), kv_tokens=int(read.sum()), longest_kv_tokens=int(read.max()))
                times[i, t] = service.iteration_s(batch)
        gaps[t] = times[:, t].max()
    moves = migrations(case, seats)
    for j, p in moves:
        t = case.alive(j, p)[0]
        gaps[t] = max(gaps[t], times[seats[j, p], t] + case.migration.downtime_s(float(reads[j, t])))
    overflow = np.maximum(memory - case.usable_tokens(), 0)
    crowded = counts > case.fleet.hardware.max_num_seqs
    return BalanceScore(times, gaps, memory, int(overflow.sum()), int(crowded.sum()), len(moves))


def migrations(case: BalanceCase, seats: Ints) -> list[tuple[int, int]]:
    """Pairs (job, period) at whose beginning a job moves away from where its KV is."""
    moves = []
    for j, job in enumerate(case.jobs):
        at = job.home
        for p in range(case.periods):
            if seats[j, p] != NOWHERE:
                if at is not None and at != seats[j, p]:
                    moves.append((j, p))
                at = int(seats[j, p])
    return moves


def _check(case: BalanceCase, seats: Ints) -> None:
    expected = (len(case.jobs), case.periods)
    if seats.shape != expected:
        raise InputError(f"seats have shape {seats.shape}, expected (jobs, periods) = {expected}")
    for j in range(len(case.jobs)):
        for p in range(case.periods):
            seat, here = int(seats[j, p]), bool(case.alive(j, p))
            if here and not 0 <= seat < case.fleet.size:
                raise InputError(f"job {j} takes part in period {p} but sits at {seat}: name an instance")
            if not here and seat != NOWHERE:
                raise InputError(f"job {j} does not take part in period {p} but sits at {seat}: use {NOWHERE}")
