"""Multipliers to start from, read off a schedule."""

from __future__ import annotations

import numpy as np

from fluid.hindsight.lagrangian import Multipliers
from fluid.hindsight.pools import Pools
from fluid.hindsight.prices import UNITS, start_costs
from fluid.hindsight.rounds import Ints, RoundInstance
from orsched.work import Floats

_PRICED_ROUNDS = 200
_SHARE = 0.9
_SMOOTHED = 7


def initial_multipliers(instance: RoundInstance, pools: Pools, starts: Ints) -> tuple[Multipliers, ...]:
    """Prices at which a schedule would nearly be chosen, in two ways; neither is better on every instance.

    One more round of waiting for everyone costs as many rounds as requests have not started, which M tokens
    share: that is the price of a token. Only starting points: any multipliers prove a valid bound.

    Returns
    -------
    tuple of Multipliers
        `priced_early` and `priced_throughout`.
    """
    return priced_early(instance, pools, starts), priced_throughout(instance, pools, starts)


def priced_early(instance: RoundInstance, pools: Pools, starts: Ints) -> Multipliers:
    """Memory has a price in the first 200 rounds only.

    A request earns its start plus what it pays for memory; behind round 200 it earns its start plus the
    waiting that the pause after it (smoothed over 7 starts) inflicts on those that start later.
    """
    memory = _prices(instance, starts, _PRICED_ROUNDS)
    costs = _costs(pools, memory, starts)
    ordered = np.sort(starts)
    padded = np.pad(ordered.astype(float), _SMOOTHED // 2, mode="edge")
    smooth = np.convolve(padded, np.ones(_SMOOTHED) / _SMOOTHED, "valid")
    pause = np.maximum(np.diff(smooth, append=smooth[-1] + 1.0), 0.3)
    later = len(starts) - np.arange(len(starts)) - 0.5
    at = np.searchsorted(ordered, starts)
    free = np.clip((starts + instance.output_tokens - _PRICED_ROUNDS) / instance.output_tokens, 0, 1)
    earned = costs[pools.pool_of, starts] + free * (pause * later)[at]
    return Multipliers(np.bincount(pools.pool_of, weights=earned) / pools.count, memory)


def priced_throughout(instance: RoundInstance, pools: Pools, starts: Ints) -> Multipliers:
    """Memory has a price in every round; a request earns the least that a start of it costs."""
    memory = _prices(instance, starts, int(starts.max()) + 1)
    costs = _costs(pools, memory, starts)
    costs[np.arange(costs.shape[1])[None, :] < pools.arrival[:, None]] = np.inf
    return Multipliers(costs.min(axis=1), memory)


def _prices(instance: RoundInstance, starts: Ints, rounds: int) -> Floats:
    waiting = len(starts) - np.searchsorted(np.sort(starts), np.arange(rounds))
    return np.asarray(_SHARE * waiting / instance.memory_tokens)


def _costs(pools: Pools, memory: Floats, starts: Ints) -> Floats:
    whole = np.rint(memory * UNITS).astype(np.int64)
    return np.asarray(start_costs(pools, whole, int(starts.max()) + 1) / UNITS)
