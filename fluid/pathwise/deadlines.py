"""Deadlines of the requests of one sample path: what each has to emit, and by when, to be on time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.pace import Part
from fluid.planning import TOLERANCE
from orsched.fleet import Fleet
from orsched.objectives import Objectives
from orsched.scoring import CLOCK
from orsched.work import Floats, Ints
from orsched.workloads import Workload


@dataclass(frozen=True, slots=True, eq=False)
class Deadlines:
    """A request is on time when it has emitted `emitted` tokens within `limit_s` and each leg within its own limit.

    Limits are enlarged by 1e-9, and by `clock_s`: a clock that adds up millions of iterations may see a request on
    time that was late by that much.

    Parameters
    ----------
    workload : Workload
        The sample path.
    fleet : Fleet
        What serves it.
    emitted : ndarray of int64, shape (n,)
        Output tokens due.
    limit_s : ndarray of float64, shape (n,)
        Most time from arrival until then.
    legs : tuple of (Part, ndarray of float64, shape (n,))
        Disjoint parts of the life up to then, each with the most time between its start and its end.
    possible : ndarray of bool, shape (n,)
        False where the critical path alone is longer than a limit.
    """

    workload: Workload
    fleet: Fleet
    emitted: Ints
    limit_s: Floats
    legs: tuple[tuple[Part, Floats], ...]
    possible: NDArray[np.bool_]

    @classmethod
    def first_token(
        cls,
        workload: Workload,
        fleet: Fleet,
        paths: CriticalPaths,
        ttft_s: float | Floats,
        life_s: Floats | None = None,
    ) -> Deadlines:
        """First token within `ttft_s` of the arrival: one limit for all, or one for each request.

        `life_s` is the most time to the completion, for the clock's sake, where a scoring looks at that too.
        """
        alone = np.full(len(workload), ttft_s)
        limit = _enlarged(alone, clock_s(workload, alone if life_s is None else life_s))
        possible = paths.prefill_s <= limit
        return cls(workload, fleet, np.ones_like(workload.output_tokens), limit, (("prefill", limit),), possible)

    @classmethod
    def completion(cls, workload: Workload, fleet: Fleet, paths: CriticalPaths, latency_s: float) -> Deadlines:
        """Completion within `latency_s` of the arrival."""
        whole = np.full(len(workload), latency_s)
        limit = _enlarged(whole, clock_s(workload, whole))
        possible = paths.latency_s <= limit
        return cls(workload, fleet, workload.output_tokens, limit, (("all", limit),), possible)

    @classmethod
    def objective(cls, workload: Workload, fleet: Fleet, paths: CriticalPaths, objectives: Objectives) -> Deadlines:
        """First token within ``ttft_s``, and the other ``o - 1`` within ``(o - 1) tpot_s`` after it.

        That is the objective as `orsched.scoring.mean_tpot` tests it: the *mean* time per output token. A
        request with one token has no second leg.
        """
        slack_s = clock_s(workload, objectives.life_s(workload.output_tokens))
        first = _enlarged(objectives.ttft_s, slack_s)
        rest = _enlarged(objectives.tpot_s * workload.work.decode_iterations.astype(float), slack_s)
        possible = (paths.prefill_s <= first) & (paths.decode_s <= rest)
        legs: tuple[tuple[Part, Floats], ...] = (("prefill", first), ("decode", rest))
        return cls(workload, fleet, workload.output_tokens, first + rest, legs, possible)

    @classmethod
    def whole_life(cls, workload: Workload, fleet: Fleet, paths: CriticalPaths, objectives: Objectives) -> Deadlines:
        """First token within ``ttft_s`` of the arrival, all ``o`` within ``ttft_s + (o - 1) tpot_s`` of it.

        Whoever keeps cumulative deadlines does (`orsched.scoring.deadlines`): they are two of them. So does whoever
        keeps the objective on average. The life is one leg.
        """
        first, whole = _first_and_whole_s(workload, objectives)
        possible = (paths.prefill_s <= first) & (paths.latency_s <= whole)
        return cls(workload, fleet, workload.output_tokens, whole, (("all", whole),), possible)

    @classmethod
    def two_legs(cls, workload: Workload, fleet: Fleet, paths: CriticalPaths, objectives: Objectives) -> Deadlines:
        """The same as two legs: up to the first token, and the rest, which starts when the prompt is done at best.

        The first token takes at least the critical path of the prefill, so the rest has what is left of the whole life.
        Neither form dominates: paced work falls with a common limit, and with a larger one.
        """
        one = cls.whole_life(workload, fleet, paths, objectives)
        first, _ = _first_and_whole_s(workload, objectives)
        legs: tuple[tuple[Part, Floats], ...] = (("prefill", first), ("decode", one.limit_s - paths.prefill_s))
        return cls(workload, fleet, workload.output_tokens, one.limit_s, legs, one.possible)

    @property
    def due_s(self) -> Floats:
        """Latest times, seconds, shape ``(n,)``."""
        due: Floats = self.workload.arrival_s + self.limit_s
        return due


def clock_s(workload: Workload, life_s: Floats) -> float:
    """Largest time by which a clock may err before the end of any of these lives, seconds.

    A scoring lets a request off that misses a limit by `orsched.scoring.CLOCK` times its completion. Whoever is let off
    completes at most so much after its arrival and life, or twice that with two limits in a row; this is three times.
    """
    return 3 * CLOCK * float(np.max(workload.arrival_s + life_s))


def _first_and_whole_s(workload: Workload, objectives: Objectives) -> tuple[Floats, Floats]:
    """Limits, enlarged, on the time to the first token and to the last one."""
    life_s = objectives.life_s(workload.output_tokens)
    slack_s = clock_s(workload, life_s)
    return _enlarged(objectives.ttft_s, slack_s), _enlarged(life_s, slack_s)


def _enlarged(limit_s: Floats, slack_s: float) -> Floats:
    enlarged: Floats = limit_s * (1 + TOLERANCE) + slack_s
    return enlarged
