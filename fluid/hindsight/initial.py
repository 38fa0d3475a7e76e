"""Multipliers to start from, read off a schedule."""

from __future__ import annotations

import numpy as np

from fluid.hindsight.lagrangian import Multipliers
from fluid.hindsight.pools import Pools
from fluid.hindsight.prices import UNITS, start_costs
from fluid.hindsight.rounds import Ints, RoundInstance

_PRICED_ROUNDS = 200
_SHARE = 0.9
_SMOOTHED = 7


def initial_multipliers(instance: RoundInstance, pools: Pools, starts: Ints) -> Multipliers:
    """Prices at which a schedule would nearly be chosen.

    One more round of waiting for everyone costs as many rounds as requests have not started, which M tokens
    share: that is the price of a token in the first 200 rounds. A request earns its start plus what it pays
    for memory; behind round 200, where memory is free, it earns its start plus the waiting that the pause
    after it (smoothed over 7 starts) inflicts on those that start later. Only a starting point: any
    multipliers prove a valid bound.
    """
    rounds = np.arange(_PRICED_ROUNDS)
    ordered = np.sort(starts)
    waiting = len(starts) - np.searchsorted(ordered, rounds)
    memory = _SHARE * waiting / instance.memory_tokens
    costs = start_costs(pools, np.rint(memory * UNITS).astype(np.int64), int(starts.max()) + 1) / UNITS
    padded = np.pad(ordered.astype(float), _SMOOTHED // 2, mode="edge")
    smooth = np.convolve(padded, np.ones(_SMOOTHED) / _SMOOTHED, "valid")
    pause = np.maximum(np.diff(smooth, append=smooth[-1] + 1.0), 0.3)
    later = len(starts) - np.arange(len(starts)) - 0.5
    at = np.searchsorted(ordered, starts)
    free = np.clip((starts + instance.output_tokens - _PRICED_ROUNDS) / instance.output_tokens, 0, 1)
    earned = costs[pools.pool_of, starts] + free * (pause * later)[at]
    request = np.bincount(pools.pool_of, weights=earned) / pools.count
    return Multipliers(request, memory)
