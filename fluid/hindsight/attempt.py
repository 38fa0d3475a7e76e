"""What is known about an optimum while it is being found, and at the end."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from fluid.hindsight.pools import Pools
from fluid.hindsight.rounds import Ints, RoundInstance, check_schedule, total_latency
from fluid.hindsight.search import constructed
from fluid.hindsight.volume import simple_bound
from fluid.programme import SolverError

BoundSource = Literal["volume", "lagrangian", "highs", "cp-sat"]


@dataclass(frozen=True, slots=True, eq=False)
class Hindsight:
    """What is known about the least total latency (TEL) of an instance.

    Parameters
    ----------
    starts : ndarray of int64, shape (n,)
        The incumbent: a valid schedule.
    value : int
        Its TEL, rounds.
    bound : int
        No schedule has a smaller TEL.
    bound_source : {"volume", "lagrangian", "highs", "cp-sat"}
        What the bound rests on. The first two are computed in whole numbers from a certificate; the others
        are the solver's word.
    method : str
        How it was found.
    seconds : float
        Wall time.
    """

    starts: Ints
    value: int
    bound: int
    bound_source: BoundSource
    method: str
    seconds: float

    @property
    def status(self) -> Literal["optimal", "stopped"]:
        """``optimal`` when bound and incumbent meet; ``stopped`` when the time ended first."""
        return "optimal" if self.bound >= self.value else "stopped"

    @property
    def gap(self) -> float:
        """``(value - bound) / bound``, as for every bound of orsched."""
        return (self.value - self.bound) / self.bound

    @property
    def certified(self) -> bool:
        """Whether the bound was computed in exact arithmetic, without trusting a solver."""
        return self.bound_source in ("volume", "lagrangian")


class Attempt:
    """Best schedule and best bound so far, and the time left.

    Parameters
    ----------
    instance : RoundInstance
        What is scheduled.
    begin_s : float
        `time.perf_counter` at the begin.
    limit_s : float
        Time allowed from then on, seconds.
    """

    def __init__(self, instance: RoundInstance, begin_s: float, limit_s: float) -> None:
        self.instance = instance
        self.pools = Pools.of(instance)
        self.limit_s = limit_s
        self._begin_s = begin_s
        self.bound = simple_bound(instance)
        self._source: BoundSource = "volume"
        self.starts = constructed(instance)
        self.constant = int((instance.output_tokens - instance.arrival_rounds).sum())

    @property
    def value(self) -> int:
        """TEL of the best schedule, rounds."""
        return total_latency(self.instance, self.starts)

    @property
    def open(self) -> bool:
        """Whether bound and schedule are apart and time is left."""
        return self.bound < self.value and self.left_s > 0

    @property
    def left_s(self) -> float:
        """Time left, seconds."""
        return self.limit_s - (time.perf_counter() - self._begin_s)

    def offer(self, starts: Ints) -> None:
        """Keep a schedule when it is better."""
        check_schedule(self.instance, starts)
        if total_latency(self.instance, starts) < self.value:
            self.starts = starts

    def prove(self, bound: Fraction | float, source: BoundSource) -> None:
        """Keep a lower bound on TEL when it is better; TEL is whole, so it is rounded up."""
        whole = math.ceil(bound)
        if whole > self.bound:
            self.bound, self._source = whole, source

    def result(self, method: str) -> Hindsight:
        """What is known now.

        Raises
        ------
        SolverError
            When a solver claimed a bound that a schedule, checked here, contradicts.
        """
        if self.bound > self.value:
            raise SolverError(f"{self._source} claims {self.bound}, but a schedule has {self.value}")
        return Hindsight(self.starts, self.value, self.bound, self._source, method, time.perf_counter() - self._begin_s)
