"""The fluid in service on one instance, by cohorts in order of arrival."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fluid.trajectory.backlog import ArrivalQueue, Cohort, largest_share
from fluid.trajectory.inflow import Stages
from fluid.trajectory.server import TokenBudgetServer
from orsched.service import Batch
from orsched.work import Floats, Ints


class RunningBatch:
    """What takes part in iterations, and what has lost its memory and waits at the head of the queue.

    Cohorts run in order of arrival, and the preempted ones are later than all of them, so both are lists with
    one end where fluid moves: the latest that runs and the earliest that was preempted.

    Parameters
    ----------
    server : TokenBudgetServer
        The limits.
    stages : sequence of Stages
        One for each mix of lengths, all of the same length.

    Attributes
    ----------
    running : float
        Requests in service, without those admitted to the iteration that has not run yet.
    """

    def __init__(self, server: TokenBudgetServer, stages: Sequence[Stages]) -> None:
        self._server = server
        self._alive = np.array([s.alive for s in stages])
        self._cached = np.array([s.cached_tokens for s in stages])
        self._attention = np.array([s.attention for s in stages])
        self._held = self._cached + server.waste_tokens * self._alive
        self._preempted: list[Cohort] = []
        self._admitted: list[Cohort] = []
        self._set(np.zeros((2, 0), dtype=np.int64), np.zeros(0))

    @property
    def preempted(self) -> float:
        """Requests that wait to be recomputed."""
        return sum(self._price(self._alive, cohort) for cohort in self._preempted)

    @property
    def kv_tokens(self) -> float:
        """Memory in use at the end of the last iteration, unused parts of blocks included."""
        return max(self._held_next - self.running, 0.0)

    def preempt(self) -> bool:
        """Preempt the latest until one more decode of the others fits; whether any had to go."""
        excess = self._held_next - self._server.kv_capacity_tokens
        any_went = False
        while excess > 1e-9 * self._server.kv_capacity_tokens:
            cohort = Cohort(int(self._where[0, -1]), int(self._where[1, -1]), float(self._mass[-1]))
            holds = self._price(self._held, cohort)
            gone, kept = cohort.split(min(1.0, excess / holds) if holds > 0 else 1.0)
            self._preempted.append(gone)
            excess -= self._price(self._held, gone)
            self._set(self._where[:, :-1], self._mass[:-1])
            if kept.mass > 0:
                self._run([kept])
            any_went = True
        return any_went

    def admit(self, queue: ArrivalQueue, now_s: float) -> None:
        """Admit in order, preempted fluid first, until a limit binds; nothing in a step that preempted."""
        server = self._server
        running = self.running
        spare = server.watermark * server.kv_capacity_tokens if running > 0 else 0.0
        limits = (
            server.max_num_seqs - running,
            server.max_num_batched_tokens - running,
            server.kv_capacity_tokens - spare - self._held_next,
        )
        room = np.maximum(np.array(limits), 0.0)
        tables = (self._alive, self._cached, self._held)
        while self._preempted:
            cohort = self._preempted.pop()
            use = np.array([self._price(table, cohort) for table in tables])
            entering, left = cohort.split(largest_share(use, room))
            if left.mass > 0:
                self._preempted.append(left)
                if entering.mass > 0:
                    self._admitted.append(entering)
                return
            self._admitted.append(entering)
            room = np.maximum(room - use, 0.0)
        costs = np.array([table[:, 0] for table in tables])
        self._admitted += queue.take(now_s, costs, room)

    def composition(self) -> Batch:
        """The next iteration: a decode of what runs, the prompts of what was admitted."""
        running = self.running
        prompts = sum(self._price(self._cached, cohort) for cohort in self._admitted)
        attention = sum(self._price(self._attention, cohort) for cohort in self._admitted)
        return Batch(prompts, attention, 0.0, running, self._reads)

    def in_batch(self) -> float:
        """Requests in the next iteration."""
        return self.running + sum(self._price(self._alive, cohort) for cohort in self._admitted)

    def advance(self) -> float:
        """Run the iteration: one token for each; return how many requests it completed."""
        self._run(self._admitted)
        self._admitted = []
        before = self.running
        where = self._where + np.array([[0], [1]])
        alive = where[1] < self._alive.shape[1]
        self._set(where[:, alive], self._mass[alive])
        return before - self.running

    def _run(self, cohorts: Sequence[Cohort]) -> None:
        if cohorts:
            where = np.array([(cohort.mix, cohort.age) for cohort in cohorts], dtype=np.int64).T
            mass = np.array([cohort.mass for cohort in cohorts])
            self._set(np.concatenate([self._where, where], axis=1), np.concatenate([self._mass, mass]))

    def _set(self, where: Ints, mass: Floats) -> None:
        """Run cohorts with these mixes and ages (rows of `where`) from now on."""
        self._where, self._mass = where, mass
        mixes, ages = where
        self.running = float(self._alive[mixes, ages] @ mass)
        cached = float(self._cached[mixes, ages] @ mass)
        self._reads = max(cached - self.running, 0.0)
        self._held_next = cached + self._server.waste_tokens * self.running

    def _price(self, table: Floats, cohort: Cohort) -> float:
        return float(table[cohort.mix, cohort.age]) * cohort.mass
