"""Lagrangian bound: every request exactly once, at a price; memory by prices and by an automaton."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from fluid.hindsight.pools import Pools
from fluid.hindsight.prices import UNITS, start_costs
from fluid.hindsight.relaxed_path import Memory, RelaxedPath
from fluid.hindsight.rounds import Ints, RoundInstance
from orsched.work import Floats

_MEMORY_STEP = 1e-3
_SHRINK = 0.6
_MOMENTUM = 0.7
_PATIENCE = 5
_LEAST_STEP = 2e-3


@dataclass(frozen=True, slots=True, eq=False)
class Multipliers:
    """Prices in rounds, as floats; bounds are computed after rounding them to 1/UNITS.

    Parameters
    ----------
    request : ndarray of float64, shape (g,)
        What a start of each pool earns.
    memory : ndarray of float64, shape (p,)
        What a token costs in each round; zero in every later round.
    """

    request: Floats
    memory: Floats

    def rounded(self) -> tuple[Ints, Ints]:
        """Whole numbers of 1/UNITS, memory prices >= 0."""
        memory = np.maximum(np.rint(self.memory * UNITS), 0)
        return np.rint(self.request * UNITS).astype(np.int64), memory.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class LagrangianBound:
    """A lower bound on TEL with the multipliers that prove it.

    Parameters
    ----------
    value : Fraction
        No schedule has a smaller TEL; computed in whole numbers from `multipliers`.
    multipliers : Multipliers
        The certificate: `lagrangian_bound` recomputes the value from them.
    iterations : int
        Evaluations made to find them.
    """

    value: Fraction
    multipliers: Multipliers
    iterations: int


def lagrangian_bound(
    instance: RoundInstance, pools: Pools, memory: Memory, multipliers: Multipliers
) -> tuple[Fraction, RelaxedPath]:
    """Bound that any multipliers prove, and the relaxed sequence of starts behind it.

    Proof. Take an optimal schedule. Its starts sum to the sum over requests of ``price_i + (start_i -
    price_i)``. Memory prices add ``sum_t price_t (held_t - M) <= 0``. So the sum of starts is at least ``sum_i
    price_i - M sum_t price_t`` plus the sum of the costs ``start + rent - price_i`` of its starts. Dropping the
    starts whose cost is >= 0 leaves a feasible set of starts of no larger cost, which the automata accept
    (`MemoryAutomaton`, `Memory`), so that its cost is at least that of the cheapest accepted sequence.
    Everything is computed in whole numbers of 1/UNITS.
    """
    earned, prices = multipliers.rounded()
    rounds = max(int(earned.max()) // UNITS + 1, 1)
    costs = start_costs(pools, prices, rounds) - earned[:, None]
    costs[np.arange(rounds)[None, :] < pools.arrival[:, None]] = 0
    path = memory.cheapest(costs, pools.count)
    units = int((earned * pools.count).sum()) - instance.memory_tokens * int(prices.sum()) + path.cost
    constant = int((instance.output_tokens - instance.arrival_rounds).sum())
    return Fraction(units, UNITS) + constant, path


@dataclass(slots=True)
class Ascent:
    """Subgradient ascent on the multipliers with momentum; steps as in Polyak's rule towards the incumbent's value.

    Parameters
    ----------
    instance : RoundInstance
        What is bounded.
    pools : Pools
        Its pools.
    incumbent_value : int
        TEL of a feasible schedule: aims the steps, never enters a bound.
    """

    instance: RoundInstance
    pools: Pools
    incumbent_value: int
    _evaluations: int = field(default=0, init=False)

    def climb(self, memory: Memory, begin: Multipliers, step: float, budget_s: float) -> LagrangianBound:
        """Raise the bound until the steps are tiny, the bound meets the incumbent, or the time is up.

        Parameters
        ----------
        memory : Memory
            What the relaxation remembers.
        begin : Multipliers
            Where to start.
        step : float
            First fraction of Polyak's step, in (0, 2).
        budget_s : float
            Time allowed, seconds; at least one evaluation is made.
        """
        deadline = time.perf_counter() + budget_s
        now = begin
        best: LagrangianBound | None = None
        restart = direction = np.zeros(0)
        stale = 0
        while best is None or (step >= _LEAST_STEP and time.perf_counter() < deadline):
            value, path = lagrangian_bound(self.instance, self.pools, memory, now)
            self._evaluations += 1
            slope = self._slope(path, now)
            if best is None or value > best.value:
                best, restart, stale = LagrangianBound(value, now, self._evaluations), slope, 0
            else:
                stale += 1
            if stale == _PATIENCE:
                step, stale, now, value = step * _SHRINK, 0, best.multipliers, best.value
                direction = restart
            else:
                direction = slope if len(direction) == 0 else slope + _MOMENTUM * direction
            room = self.incumbent_value - float(value)
            weights = np.repeat([1.0, _MEMORY_STEP], [len(now.request), len(now.memory)])
            length = float(weights @ direction**2)
            if room <= 0 or length == 0:
                break
            moved = np.concatenate([now.request, now.memory]) + step * room / length * weights * direction
            request, prices = np.split(np.maximum(moved, 0.0), [len(now.request)])
            now = Multipliers(request, prices)
        return LagrangianBound(best.value, best.multipliers, self._evaluations)

    def _slope(self, path: RelaxedPath, at: Multipliers) -> Floats:
        """Requests not started minus those started twice; tokens held beyond M where a price can follow."""
        missing = self.pools.count.astype(float)
        longest = int(self.pools.output.max())
        last = max((t for t, _ in path.starts), default=0)
        held = np.zeros(max(last, len(at.memory)) + longest + 2)
        for t, pool in path.starts:
            missing[pool] -= 1
            o, s = int(self.pools.output[pool]), int(self.pools.prompt[pool])
            held[t + 1 : t + 1 + o] += np.arange(s + 1, s + o + 1)
        excess = held[: len(at.memory)] - self.instance.memory_tokens
        excess[(at.memory <= 0) & (excess < 0)] = 0.0
        return np.concatenate([missing, excess])
