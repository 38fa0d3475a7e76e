"""Memory prices: what a request pays for the rounds it runs in, and the bound that prices alone prove."""

from __future__ import annotations

import numpy as np

from fluid.hindsight.pools import Pools
from fluid.hindsight.rounds import Ints, RoundInstance

UNITS = 32
"""Multipliers are whole numbers of 1/32 round, so that every bound is computed without rounding."""


def start_costs(pools: Pools, prices: Ints, rounds: int) -> Ints:
    """``t + sum_j price_{t+j} (s + j)``: what a start in round t costs, in 1/UNITS, shape ``(g, rounds)``.

    Parameters
    ----------
    pools : Pools
        The requests.
    prices : ndarray of int64, shape (p,)
        Price of one token in each round, in 1/UNITS; zero in every later round.
    rounds : int
        Number of start rounds, from 0.
    """
    length = rounds + int(pools.output.max()) + 2
    padded = np.zeros(max(length, len(prices)), dtype=np.int64)
    padded[: len(prices)] = prices
    total = np.concatenate([[0], np.cumsum(padded)])
    moment = np.concatenate([[0], np.cumsum(padded * np.arange(len(padded)))])
    t = np.arange(rounds)
    first, last = t + 1, t[None, :] + 1 + pools.output[:, None]
    rent = (pools.prompt[:, None] - t) * (total[last] - total[first]) + moment[last] - moment[first]
    return np.asarray(t * UNITS + rent, dtype=np.int64)


def price_bound(instance: RoundInstance, pools: Pools, prices: Ints) -> int:
    """Lower bound on ``UNITS * sum of starts`` that memory prices ``>= 0`` prove, in whole numbers.

    Proof. Every schedule holds at most M tokens in each round, so its starts sum to at least its starts plus
    ``sum_t price_t (tokens held in t - M)``; that is a sum over requests of the cost of their start, each at
    least the request's cheapest, minus ``M sum_t price_t``. Behind the last priced round the cost of a start
    only grows. With the duals of the memory rows this is the value of the time-indexed linear relaxation.
    """
    rounds = len(prices) + int(pools.arrival.max()) + 1
    costs = start_costs(pools, prices, rounds)
    costs[np.arange(rounds)[None, :] < pools.arrival[:, None]] = np.iinfo(np.int64).max
    return int((costs.min(axis=1) * pools.count).sum()) - instance.memory_tokens * int(prices.sum())
