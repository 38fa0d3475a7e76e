"""The exact programme: one variable per pool and start round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fluid.hindsight.pools import Pools, latest_starts
from fluid.hindsight.prices import UNITS
from fluid.hindsight.rounds import Ints, RoundInstance
from fluid.integer import IntegerProgramme
from fluid.programme import SolverError
from orsched.work import Floats


@dataclass(frozen=True, slots=True, eq=False)
class TimeIndexed:
    """``minimise sum t x_{g,t}``: x_{g,t} members of pool g start in round t; memory in every round.

        sum_t x_{g,t} = count_g                                          for every pool
        sum_g sum_{k=t-o_g}^{t-1} (s_g + t - k) x_{g,k} <= M             for every round t

    The programme of arXiv 2502.07115 with identical requests pooled: only their number matters, so pooling
    loses nothing and removes the symmetry between them. Its optimum plus ``sum (o - a)`` is the least TEL.

    Parameters
    ----------
    instance : RoundInstance
        What is scheduled.
    pools : Pools
        Its pools.
    pool, start : ndarray of int64, shape (c,)
        Pool and start round of each column.
    """

    instance: RoundInstance
    pools: Pools
    pool: Ints
    start: Ints

    @classmethod
    def of(cls, instance: RoundInstance) -> TimeIndexed:
        """Columns for every start that an optimal schedule may use (`latest_starts`)."""
        pools = Pools.of(instance)
        return cls.until(instance, pools, latest_starts(instance, pools))

    @classmethod
    def until(cls, instance: RoundInstance, pools: Pools, last: Ints) -> TimeIndexed:
        """Columns from each pool's arrival to its round in `last`, both included."""
        spans = [np.arange(a, b + 1) for a, b in zip(pools.arrival.tolist(), last.tolist(), strict=True)]
        return cls(instance, pools, np.repeat(np.arange(len(pools)), [len(s) for s in spans]), np.concatenate(spans))

    def __len__(self) -> int:
        return len(self.pool)

    @property
    def constant(self) -> int:
        """``sum (o - a)``: what TEL adds to the sum of starts."""
        return int((self.instance.output_tokens - self.instance.arrival_rounds).sum())

    def programme(self) -> IntegerProgramme:
        """Write the programme; rows are the pools and then the rounds 1, 2, ..."""
        from scipy.sparse import csr_array

        outputs = self.pools.output[self.pool]
        columns = np.repeat(np.arange(len(self)), outputs)
        age = np.arange(len(columns)) - np.repeat(np.cumsum(outputs) - outputs, outputs) + 1
        rounds = self.start[columns] + age
        held = self.pools.prompt[self.pool[columns]] + age
        last, pools = int(rounds.max()), len(self.pools)
        row = np.concatenate([self.pool, pools - 1 + rounds])
        column = np.concatenate([np.arange(len(self)), columns])
        values = np.concatenate([np.ones(len(self)), held])
        counts = self.pools.count.astype(float)
        memory = np.full(last, float(self.instance.memory_tokens))
        return IntegerProgramme(
            objective=self.start.astype(float),
            matrix=csr_array((values, (row, column)), shape=(pools + last, len(self))),
            low=np.concatenate([counts, np.full(last, -np.inf)]),
            high=np.concatenate([counts, memory]),
            upper=counts[self.pool],
            whole=np.ones(len(self), dtype=np.bool_),
            rows=(*(f"pool {g} starts" for g in range(pools)), *(f"memory in round {t + 1}" for t in range(last))),
            columns=tuple(f"pool {g} at {t}" for g, t in zip(self.pool.tolist(), self.start.tolist(), strict=True)),
        )

    def point(self, starts: Ints) -> Floats | None:
        """The columns of a schedule, shape ``(c,)``; None when it starts something outside the columns."""
        x = np.zeros(len(self))
        index = {key: j for j, key in enumerate(zip(self.pool.tolist(), self.start.tolist(), strict=True))}
        for key in zip(self.pools.pool_of.tolist(), starts.tolist(), strict=True):
            if key not in index:
                return None
            x[index[key]] += 1
        return x

    def starts(self, x: Floats) -> Ints:
        """The schedule behind whole columns, shape ``(n,)``."""
        starts = np.empty(len(self.instance), dtype=np.int64)
        for g in range(len(self.pools)):
            mine = self.pool == g
            starts[self.pools.members(g)] = np.repeat(self.start[mine], np.rint(x[mine]).astype(np.int64))
        return starts


def relaxation_prices(timed: TimeIndexed) -> Ints:
    """Memory prices from the duals of the linear relaxation, in 1/UNITS, for `fluid.hindsight.prices.price_bound`.

    They come from HiGHS' interior point method and are trusted for nothing: the bound is recomputed from them.

    Raises
    ------
    SolverError
        When HiGHS does not end with an optimum.
    """
    from scipy.optimize import linprog

    programme = timed.programme()
    pools = len(timed.pools)
    found = linprog(
        programme.objective,
        A_ub=programme.matrix[pools:],
        b_ub=programme.high[pools:],
        A_eq=programme.matrix[:pools],
        b_eq=programme.high[:pools],
        method="highs-ipm",
    )
    if found.status != 0:
        raise SolverError(f"linear relaxation of {len(timed)} columns: HiGHS says {found.message!r}")
    prices = np.maximum(np.rint(-found.ineqlin.marginals * UNITS), 0).astype(np.int64)
    return np.concatenate([[0], prices])
