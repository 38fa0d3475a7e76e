"""The placement of decoding requests on instances, written as a mixed-integer programme."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from fluid.fleets.balance import BalanceCase
from fluid.fleets.balance_bounds import balance_bounds
from fluid.fleets.balance_greedy import heaviest_first
from fluid.fleets.balance_score import NOWHERE, migrations, score
from fluid.integer import Draft, IntegerProgramme
from orsched.work import Floats, Ints

PlacementObjective = Literal["worst_gap_s", "mean_worst_gap_s"]

_CUT = 1 - 1e-9


class PlacementProgramme:
    """Columns and rows of the placement programme, and the way from its points to placements and back.

    ``x[j,i,p]`` = 1 if job j sits on instance i in period p, ``y[j,i,p]`` = 1 if it moved there at the beginning
    of p, ``z[t]`` the longest gap of round t. With minorants ``T >= alpha + sum of w_j``:

        sum_i x[j,i,p] = 1
        alpha + sum_j w_jt x[j,i,p] <= z_t                         every instance, round and minorant
        alpha + sum_j w_jt x[j,i,p] + downtime_j y[j,i,p] <= z_t   first round of p in which j takes part
        y[j,i,p] >= x[j,i,p] - x[j,i,p-1]                          (minus 1 where i is its home)
        KV tokens held, requests in the batch: at most what an instance has
        sum of y <= most migrations

    and minimises ``max z`` or ``sum z / rounds``. An instance without jobs is charged alpha, which some instance with
    jobs has to take anyway. Cuts: ``z_t`` is at least its perfect-balance bound. Without homes instances are
    interchangeable, so the k-th heaviest job of the first period sits on one of the first k.
    All jobs in one iteration, one of them migrated, bound z from above. Times are in units of `unit_s`, the
    perfect-balance bound, so that the solver's absolute tolerances are relative ones.

    Parameters
    ----------
    case : BalanceCase
        Jobs and instances.
    objective : {"worst_gap_s", "mean_worst_gap_s"}
        What is minimised, as in `fluid.fleets.balance_score.BalanceScore`.
    """

    def __init__(self, case: BalanceCase, objective: PlacementObjective) -> None:
        self._case = case
        self._instances = range(case.fleet.size)
        self._draft = Draft()
        self._sits: dict[tuple[int, int, int], int] = {}
        self._moves: dict[tuple[int, int, int], int] = {}
        self._symmetric = all(job.home is None for job in case.jobs)
        mean = objective == "mean_worst_gap_s"
        cuts = balance_bounds(case).whole_s * _CUT
        self.unit_s = float(cuts.max())
        each = 1.0 / case.rounds if mean else 0.0
        most = _longest_gap_s(case) / self.unit_s
        self._worst = worst = self._draft.column("worst gap", cost=float(not mean), upper=most)
        self._gap = [self._draft.column(f"gap of round {t}", cost=each, upper=most) for t in range(case.rounds)]
        for p in range(case.periods):
            self._columns(p)
            self._limits(p)
            self._times(p)
        if case.migration.most is not None and self._moves:
            self._draft.row("most migrations", dict.fromkeys(self._moves.values(), 1.0), high=case.migration.most)
        for t, gap in enumerate(self._gap):
            self._draft.row(f"balance of round {t}", {gap: 1.0}, low=float(cuts[t]) / self.unit_s)
            self._draft.row(f"worst covers round {t}", {worst: 1.0, gap: -1.0}, low=0.0)
        self.programme: IntegerProgramme = self._draft.programme()

    def seats(self, x: Floats) -> Ints:
        """Placement of a feasible point; shape ``(jobs, periods)``."""
        found = np.full((len(self._case.jobs), self._case.periods), NOWHERE, dtype=np.int64)
        for (j, i, p), column in self._sits.items():
            if x[column] > 0.5:
                found[j, p] = i
        return found

    def point(self, seats: Ints) -> Floats:
        """Feasible point of a placement that fits, with instances renumbered as the symmetry rows ask."""
        case, x = self._case, np.zeros(len(self.programme.columns))
        named = self._renumbered(seats) if self._symmetric else seats
        for (j, i, p), column in self._sits.items():
            x[column] = float(named[j, p] == i)
        for j, p in migrations(case, named):
            x[self._moves[j, int(named[j, p]), p]] = 1.0
        gaps = np.maximum(score(case, named).gap_s, balance_bounds(case).whole_s) / self.unit_s
        x[self._gap], x[self._worst] = gaps, gaps.max()
        return x

    def _renumbered(self, seats: Ints) -> Ints:
        first = self._first_period()
        order = dict.fromkeys(int(seats[j, first]) for j in heaviest_first(self._case, first))
        order |= dict.fromkeys(self._instances)
        number = {old: new for new, old in enumerate(order)}
        return np.array([[number.get(int(s), NOWHERE) for s in row] for row in seats], dtype=np.int64)

    def _first_period(self) -> int:
        return min(job.start for job in self._case.jobs) // self._case.period_rounds

    def _columns(self, period: int) -> None:
        draft, m = self._draft, self._case.fleet.size
        ordered = self._symmetric and period == self._first_period()
        for rank, j in enumerate(heaviest_first(self._case, period)):
            free = min(rank + 1, m) if ordered else m
            for i in self._instances:
                self._sits[j, i, period] = draft.column(f"{j} on {i} in {period}", upper=float(i < free), whole=True)
            somewhere = {self._sits[j, i, period]: 1.0 for i in self._instances}
            draft.row(f"a seat for job {j} in period {period}", somewhere, low=1.0, high=1.0)
            self._moving(j, period)

    def _moving(self, j: int, period: int) -> None:
        home = self._case.jobs[j].home
        for i in self._instances:
            before = self._sits.get((j, i, period - 1))
            if before is None and home is None:
                return
            moved = self._moves[j, i, period] = self._draft.column(f"{j} moves to {i} in {period}", upper=1.0)
            terms = {moved: 1.0, self._sits[j, i, period]: -1.0}
            if before is not None:
                terms[before] = 1.0
            stays_home = before is None and i == home
            self._draft.row(f"moves of job {j} to {i} in period {period}", terms, low=-1.0 if stays_home else 0.0)

    def _limits(self, period: int) -> None:
        case = self._case
        held, room, most = case.held(), float(case.usable_tokens()), float(case.fleet.hardware.max_num_seqs)
        for t, jobs in self._rounds(period):
            for i in self._instances:
                tokens = {self._sits[j, i, period]: float(held[j, t]) for j in jobs}
                self._draft.row(f"KV memory of instance {i} in round {t}", tokens, high=room)
                if len(jobs) > most:
                    self._draft.row(f"batch limit of instance {i} in round {t}", dict.fromkeys(tokens, 1.0), high=most)

    def _times(self, period: int) -> None:
        case, reads, unit = self._case, self._case.reads(), self.unit_s
        for base, weights in case.minorant_weights():
            for t, jobs in self._rounds(period):
                for i in self._instances:
                    load = {self._sits[j, i, period]: float(weights[j, t]) / unit for j in jobs}
                    load[self._gap[t]] = -1.0
                    self._draft.row(f"iteration of instance {i} in round {t}", load, high=-base / unit)
                    for j in jobs:
                        moved = self._moves.get((j, i, period))
                        down = case.migration.downtime_s(float(reads[j, t])) / unit
                        if moved is not None and down and case.alive(j, period)[0] == t:
                            self._draft.row(
                                f"job {j} moves to {i} in round {t}", {**load, moved: down}, high=-base / unit
                            )

    def _rounds(self, period: int) -> Iterator[tuple[int, list[int]]]:
        left, length = period * self._case.period_rounds, self._case.period_rounds
        for t in range(left, min(left + length, self._case.rounds)):
            jobs = [j for j in self._case.placed(period) if t in self._case.alive(j, period)]
            if jobs:
                yield t, jobs


def _longest_gap_s(case: BalanceCase) -> float:
    """More than any gap can be: every job in the batch, and the longest downtime."""
    longest = max(base + float(weights.sum(axis=0).max()) for base, weights in case.minorant_weights())
    return 2.0 * (longest + case.migration.downtime_s(float(case.reads().max())))
