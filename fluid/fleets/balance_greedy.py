"""A quick placement that never migrates: heaviest first to the least loaded instance."""

from __future__ import annotations

import numpy as np

from fluid.fleets.balance import BalanceCase
from fluid.fleets.balance_score import NOWHERE
from orsched.work import Ints


def heaviest_first(case: BalanceCase, period: int) -> list[int]:
    """Jobs of a period by decreasing context; ties in the order given."""
    return sorted(case.placed(period), key=lambda j: -case.jobs[j].context_tokens)


def greedy_placement(case: BalanceCase) -> Ints | None:
    """Place each job once, heaviest first, on the instance whose KV reads over the period are least and where it fits.

    Returns
    -------
    ndarray of int64, shape (jobs, periods), or None
        None when some job fits nowhere or an instance overflows; another placement may still exist.
    """
    seats = np.full((len(case.jobs), case.periods), NOWHERE, dtype=np.int64)
    reads, held, room = case.reads(), case.held(), case.usable_tokens()
    most = case.fleet.hardware.max_num_seqs
    for p in range(case.periods):
        rounds = slice(p * case.period_rounds, (p + 1) * case.period_rounds)
        load = np.zeros((case.fleet.size, reads[0, rounds].size), dtype=np.int64)
        memory, counts = load.copy(), load.copy()
        known = [(j, _known_seat(case, seats, j, p)) for j in heaviest_first(case, p)]
        for j, seat in sorted(known, key=lambda pair: pair[1] == NOWHERE):
            after, fuller = memory + held[j, rounds], counts + (held[j, rounds] > 0)
            fits = (after.max(axis=1) <= room) & (fuller.max(axis=1) <= most)
            if seat == NOWHERE:
                seat = int(np.where(fits, load.max(axis=1), np.iinfo(np.int64).max).argmin())
            if not fits[seat]:
                return None
            seats[j, p] = seat
            load[seat] += reads[j, rounds]
            memory[seat], counts[seat] = after[seat], fuller[seat]
    return seats


def _known_seat(case: BalanceCase, seats: Ints, job: int, period: int) -> int:
    before = int(seats[job, period - 1]) if period else NOWHERE
    home = case.jobs[job].home
    return before if before != NOWHERE or home is None else home
