"""How many jobs can be on time: one machine, preemption, release times and deadlines."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappush, heappushpop

import numpy as np
from numpy.typing import NDArray

from orsched.errors import InputError
from orsched.work import Floats, Ints

_HALVINGS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Jobs:
    """Jobs in ticks of a power of two of a second, on a machine of speed one.

    Parameters
    ----------
    release, deadline, size : ndarray of int64, shape (n,)
        In ticks; releases non-decreasing. ``size <= deadline - release``: others cannot be on time and are left out.
    """

    release: Ints
    deadline: Ints
    size: Ints

    @classmethod
    def of(cls, release_s: Floats, deadline_s: Floats, size_s: Floats, speed: int) -> Jobs:
        """Round outward: releases and sizes down, deadlines up; whatever was on time still is.

        A machine of speed n is one of speed one with the clock running n times as fast.

        Parameters
        ----------
        release_s, deadline_s, size_s : ndarray of float64, shape (n,)
            Seconds, >= 0; releases non-decreasing. A size may be infinite: such a job is never on time.
        speed : int
            Number of instances, >= 1.

        Raises
        ------
        InputError
            When a release or deadline is not finite.
        """
        window_s = speed * (deadline_s - release_s)
        horizon = speed * float(np.max(deadline_s, initial=0.0)) + float(np.sum(np.minimum(size_s, window_s))) + 1.0
        if not np.isfinite(horizon):
            raise InputError("jobs need finite release times and deadlines")
        bits = 60 - int(np.frexp(horizon)[1])
        release = np.floor(np.ldexp(release_s, bits)).astype(np.int64) * speed
        deadline = np.ceil(np.ldexp(deadline_s, bits)).astype(np.int64) * speed
        size = np.floor(np.ldexp(np.minimum(size_s, 2 * window_s), bits)).astype(np.int64)
        return cls(release, deadline, size)._take(size <= deadline - release)

    def _take(self, rows: NDArray[np.bool_]) -> Jobs:
        return Jobs(self.release[rows], self.deadline[rows], self.size[rows])

    def delayed(self) -> Jobs:
        """Jobs of those busy periods in which some job is late if all are done in the order of release."""
        done = np.cumsum(self.size)
        completion = done + np.maximum.accumulate(self.release - (done - self.size))
        busy = np.cumsum(self.release >= np.concatenate([self.release[:1], completion[:-1]]))
        late = np.zeros(len(self) + 1, dtype=bool)
        late[busy[completion > self.deadline]] = True
        return self._take(late[busy])

    def __len__(self) -> int:
        """Count the jobs that can be on time alone."""
        return len(self.release)


class _Block:
    """Jobs released together, in the order of their deadlines: Moore and Hodgson's rule."""

    __slots__ = ("_kept", "completion", "dropped", "first")

    def __init__(self, start: int, first: int) -> None:
        self.completion = start
        self.first = first
        self.dropped = 0
        self._kept: list[int] = []

    def add(self, deadline: int, size: int) -> None:
        """Keep the job, and if it is late then, drop the largest kept."""
        if self.completion + size <= deadline:
            self.completion += size
            heappush(self._kept, -size)
        else:
            self.completion += size + heappushpop(self._kept, -size)
            self.dropped += 1


def most_on_time(jobs: Jobs) -> int:
    """Upper bound on the number of jobs that any preemptive schedule completes by their deadlines.

    Cut the jobs into blocks of consecutive releases, and let every job of a block be released with the first
    of it, on a machine of its own block. Both only relax. What is left of a block is the problem of fewest late jobs
    with a common release, where preemption does not help and the rule of Moore and Hodgson is optimal (Moore 1968):
    go by deadline, and whenever a job would be late, drop the largest so far. So the sum over the blocks is
    an upper bound for *any* cut.

    The cut: sweep the jobs in the order of release, as if that were the order of deadlines, and start a new
    block when all that is kept has been done. Then no block spans an idle moment. (Busy periods in which nobody is
    late when nobody is dropped are passed over: all their jobs are on time.) With equal limits that order
    *is* the one of deadlines, and the bound then differs from the optimum only where idle time would have
    appeared had an earlier job been dropped (measured on the reference instance: by two jobs in 2,000 at most).
    Second bound: of the jobs in a piece of the path, those on time fit between its first release and its last
    deadline, so at most as many as of the smallest. Pieces are halved, and again, where that gives less. Blocks
    see bursts, pieces see an overload that idle moments interrupt. O(n log n), in integers.
    """
    return min(_by_blocks(jobs), _by_pieces(jobs, 0, len(jobs), _HALVINGS))


def _by_blocks(jobs: Jobs) -> int:
    rest = jobs.delayed()
    blocks = _cut(rest)
    firsts = np.array([block.first for block in blocks], dtype=np.int64)
    late = [block.dropped for block in blocks]
    ends = np.append(firsts[1:], len(rest))
    for k in _unsorted(rest, firsts):
        late[k] = _fewest_late(rest, int(firsts[k]), int(ends[k]))
    return len(jobs) - sum(late)


def _cut(jobs: Jobs) -> list[_Block]:
    blocks: list[_Block] = []
    columns = (jobs.release.tolist(), jobs.deadline.tolist(), jobs.size.tolist())
    for row, (release, deadline, size) in enumerate(zip(*columns, strict=True)):
        if not blocks or blocks[-1].completion <= release:
            blocks.append(_Block(release, row))
        blocks[-1].add(deadline, size)
    return blocks


def _by_pieces(jobs: Jobs, first: int, end: int, halvings: int) -> int:
    """Bound for rows ``first .. end - 1``, in one piece or in two halves."""
    if end == first:
        return 0
    time = int(jobs.deadline[first:end].max() - jobs.release[first])
    whole = int(np.searchsorted(np.cumsum(np.sort(jobs.size[first:end])), time, side="right"))
    if halvings == 0 or end - first == 1:
        return whole
    middle = (first + end) // 2
    halves = _by_pieces(jobs, first, middle, halvings - 1) + _by_pieces(jobs, middle, end, halvings - 1)
    return min(whole, halves)


def _unsorted(jobs: Jobs, firsts: Ints) -> list[int]:
    """Blocks whose releases and deadlines are in different orders."""
    falls = np.flatnonzero(np.diff(jobs.deadline) < 0)
    holding = np.searchsorted(firsts, falls, side="right") - 1
    inside = np.searchsorted(firsts, falls + 1, side="right") - 1 == holding
    return sorted(set(holding[inside].tolist()))


def _fewest_late(jobs: Jobs, first: int, end: int) -> int:
    """Fewest late jobs among rows ``first .. end - 1``, all released with the first of them."""
    order = first + np.argsort(jobs.deadline[first:end], kind="stable")
    block = _Block(int(jobs.release[first]), first)
    for deadline, size in zip(jobs.deadline[order].tolist(), jobs.size[order].tolist(), strict=True):
        block.add(deadline, size)
    return block.dropped
