"""A finite automaton that accepts every memory-feasible sequence of starts, and some more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fluid.hindsight.pools import Pools
from fluid.hindsight.rounds import Ints

Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

NONE = -1


@dataclass(frozen=True, slots=True, eq=False)
class MemoryAutomaton:
    """States are small sets of running requests; starting one more needs memory beside the remembered ones.

    A *part* is a running request as far as memory goes: remaining rounds r and final tokens P, so that it
    will hold ``P - r + j`` tokens in the j-th round from now, for ``j <= r``. A state remembers at most
    `depth` parts. Starting a pool from a state is allowed when the remembered parts and the new one together
    hold at most M in every round to come; when more than `depth` would be remembered, the part with the
    least remaining volume is forgotten.

    Why it accepts every feasible schedule: by induction the remembered parts are some of the requests that
    are running; with all of them the new one fits, so it fits beside some of them.

    Parameters
    ----------
    parts : ndarray of intp, shape (q, depth)
        Parts remembered in each state, -1 for none; state 0 remembers nothing.
    advance : ndarray of intp, shape (q,)
        State one round later.
    sources, targets : tuple of ndarray of intp, one per pool
        States from which the pool may be started (ascending), and the states that follow, before the round.
    """

    parts: Index
    advance: Index
    sources: tuple[Index, ...]
    targets: tuple[Index, ...]

    def __len__(self) -> int:
        return len(self.advance)

    def start(self, pool: int, state: int) -> int | None:
        """State after starting a pool, None where that is not allowed."""
        where = int(np.searchsorted(self.sources[pool], state))
        found = where < len(self.sources[pool]) and self.sources[pool][where] == state
        return int(self.targets[pool][where]) if found else None


def memory_automaton(pools: Pools, memory_tokens: int, depth: int) -> MemoryAutomaton:
    """Build the automaton that remembers up to `depth` requests: for 50 requests 600 states with 1, 70,000 with 2."""
    table = _Parts(pools, memory_tokens)
    states = table.states(depth)
    keys = table.keys(states)
    order = np.argsort(keys)
    states, keys = states[order], keys[order]
    sources, targets = [], []
    for pool in range(len(pools)):
        allowed = np.flatnonzero(table.fits(states, pool))
        joined = table.joined(states[allowed], pool, depth)
        sources.append(allowed.astype(np.intp))
        targets.append(np.searchsorted(keys, table.keys(joined)).astype(np.intp))
    advance = np.searchsorted(keys, table.keys(table.aged(states))).astype(np.intp)
    return MemoryAutomaton(states.astype(np.intp), advance, tuple(sources), tuple(targets))


class _Parts:
    """All parts of an instance; index -1 is the empty part."""

    def __init__(self, pools: Pools, memory_tokens: int) -> None:
        self._pools = pools
        self._memory = memory_tokens
        final = pools.prompt + pools.output
        kinds, kind_of = np.unique(final, return_inverse=True)
        longest = np.array([pools.output[final == kind].max() for kind in kinds])
        ends = np.cumsum(longest)
        self.first = ends[kind_of] - pools.output
        self.peak = np.append(np.repeat(kinds, longest), 0)
        self.remaining = np.append(np.repeat(ends, longest) - np.arange(ends[-1]), 0)
        self.volume = self.remaining * self.peak - self.remaining * (self.remaining - 1) // 2

    def keys(self, states: Ints) -> Ints:
        """One number per state, increasing from the empty state."""
        base = len(self.peak)
        powers = base ** np.arange(states.shape[1] - 1, -1, -1, dtype=np.int64)
        return np.asarray(((states + 1) * powers).sum(axis=1), dtype=np.int64)

    def held(self, states: Ints, ahead: Ints) -> Ints:
        """Tokens the parts of each state hold `ahead` rounds from now."""
        r = self.remaining[states]
        return np.asarray(np.where(r >= ahead, self.peak[states] - r + ahead, 0).sum(axis=1))

    def fits(self, states: Ints, pool: int) -> Mask:
        """Whether the pool may be started: memory only has local maxima where some part or the pool ends."""
        s, o = int(self._pools.prompt[pool]), int(self._pools.output[pool])
        ok = self.held(states, np.full((len(states), 1), o)) + s + o <= self._memory
        for column in range(states.shape[1]):
            end = self.remaining[states[:, column]]
            inside = (end > 0) & (end <= o)
            ok &= ~inside | (self.held(states, end[:, None]) + s + end <= self._memory)
        return np.asarray(ok)

    def joined(self, states: Ints, pool: int, depth: int) -> Ints:
        """States with the pool started, brought back to `depth` parts."""
        new = np.full((len(states), 1), self.first[pool])
        grown = np.concatenate([states, new], axis=1)
        ranked = np.take_along_axis(grown, np.argsort(-self.volume[grown], axis=1, kind="stable"), axis=1)
        return _descending(ranked[:, :depth])

    def aged(self, states: Ints) -> Ints:
        """States one round later: finished parts are gone."""
        return _descending(np.where(self.remaining[states] > 1, states + 1, NONE))

    def states(self, depth: int) -> Ints:
        """Every set of at most `depth` parts that can run together, shape ``(q, depth)``."""
        every = len(self.peak) - 1
        layer = np.arange(every)[:, None]
        layers = [np.full((1, depth), NONE)]
        for size in range(1, depth + 1):
            if size > 1:
                layer = self._larger(layer)
            layers.append(np.pad(layer, ((0, 0), (0, depth - size)), constant_values=NONE))
        return np.concatenate(layers) if depth else np.full((1, 0), NONE)

    def _larger(self, sets: Ints) -> Ints:
        """Sets of one part more: some set beside a request that starts, and all that this becomes by ageing."""
        begun = []
        for pool in range(len(self._pools)):
            beside = sets[self.fits(sets, pool)]
            begun.append(np.concatenate([beside, np.full((len(beside), 1), self.first[pool])], axis=1))
        current = np.unique(_descending(np.concatenate(begun)), axis=0)
        found = [current]
        while len(current):
            found.append(current)
            older = self.aged(current)
            current = older[(older >= 0).all(axis=1)]
        return np.unique(np.concatenate(found), axis=0)


def _descending(states: Ints) -> Ints:
    return np.asarray(-np.sort(-states, axis=1))
