"""The cheapest sequence of starts that the memory automata accept, by dynamic programming in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fluid.hindsight.automaton import MemoryAutomaton
from fluid.hindsight.rounds import Ints

Starts = list[tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class RelaxedPath:
    """A sequence of starts of least cost.

    Parameters
    ----------
    cost : int
        Sum of the costs.
    starts : list of (round, pool)
        The sequence; a pool may occur more often than it has members.
    """

    cost: int
    starts: Starts


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What is remembered when: `early` before `switch_round`, `late` from then on.

    `late` remembers at most one request. A state of `early` is worth the larger of what its parts are
    worth alone: the schedule goes on beside each of them, so each of the two values bounds it.

    Parameters
    ----------
    early, late : MemoryAutomaton
        The automata.
    switch_round : int
        First round of `late`; 0 for `late` throughout.
    """

    early: MemoryAutomaton
    late: MemoryAutomaton
    switch_round: int

    @classmethod
    def one(cls, automaton: MemoryAutomaton) -> Memory:
        """The same automaton throughout."""
        return cls(automaton, automaton, 0)

    def cheapest(self, costs: Ints, count: Ints) -> RelaxedPath:
        """Choose starts to minimise their total cost; none is worth 0.

        Parameters
        ----------
        costs : ndarray of int64, shape (g, rounds)
            Cost of a start of each pool in each round. Starts that cost >= 0 are never made: without them a
            feasible schedule stays feasible and is not dearer.
        count : ndarray of int64, shape (g,)
            Members of each pool: most starts of it in one round.
        """
        gain = -int(np.minimum(costs, 0).sum(axis=1) @ count)
        kind = np.int32 if gain < np.iinfo(np.int32).max else np.int64
        rounds = costs.shape[1]
        switch = min(self.switch_round, rounds)
        late = _values(self.late, costs, count, switch, np.zeros(len(self.late), kind))
        if switch == 0:
            starts, _ = _trace(self.late, costs, count, 0, late, 0)
            return RelaxedPath(int(late[0, 0]), starts)
        alone = late[0][self.early.parts + 1]
        early = _values(self.early, costs[:, :switch], count, 0, alone.max(axis=1))
        first, state = _trace(self.early, costs, count, 0, early, 0)
        part = int(self.early.parts[state, int(alone[state].argmax())])
        second, _ = _trace(self.late, costs, count, switch, late, part + 1)
        return RelaxedPath(int(early[0, 0]), first + second)


def _candidates(costs: Ints, count: Ints) -> list[int]:
    """Pools that pay in one round, each as often as it has members."""
    pays = np.flatnonzero(costs < 0)
    return np.repeat(pays, count[pays]).tolist()


def _values(
    automaton: MemoryAutomaton, costs: Ints, count: Ints, first: int, terminal: NDArray[np.signedinteger]
) -> NDArray[np.signedinteger]:
    """Least cost from each round and state on, shape ``(rounds - first + 1, states)``."""
    rounds = costs.shape[1]
    values = np.empty((rounds - first + 1, len(automaton)), dtype=terminal.dtype)
    values[-1] = terminal
    for t in range(rounds - 1, first - 1, -1):
        row = values[t - first]
        np.take(values[t - first + 1], automaton.advance, out=row, mode="clip")
        for pool in _candidates(costs[:, t], count):
            source = automaton.sources[pool]
            started = row.take(automaton.targets[pool], mode="clip")
            started += terminal.dtype.type(costs[pool, t])
            row[source] = np.minimum(row.take(source, mode="clip"), started)
    return values


def _trace(
    automaton: MemoryAutomaton, costs: Ints, count: Ints, first: int, values: NDArray[np.signedinteger], state: int
) -> tuple[Starts, int]:
    """Follow a cheapest sequence from `state` in round `first`; also the state it ends in."""
    starts: Starts = []
    for t in range(first, first + len(values) - 1):
        after = values[t - first + 1]
        if values[t - first, state] != after[automaton.advance[state]]:
            made = _Round(automaton, costs[:, t], after, _candidates(costs[:, t], count)).decide(state)
            starts += [(t, pool) for pool, _ in made]
            state = made[-1][1]
        state = int(automaton.advance[state])
    return starts, state


class _Round:
    """The starts of one round, found again from the values of the next; pools are tried in descending order."""

    def __init__(
        self, automaton: MemoryAutomaton, costs: Ints, after: NDArray[np.signedinteger], pools: list[int]
    ) -> None:
        self._automaton = automaton
        self._costs = costs
        self._after = after
        self._pools = pools
        self._known: dict[tuple[int, int], tuple[int, int | None]] = {}

    def decide(self, state: int) -> list[tuple[int, int]]:
        """Pools to start from `state`, each with the state after it."""
        made = []
        for left in range(len(self._pools), 0, -1):
            _, target = self._best(left, state)
            if target is not None:
                made.append((self._pools[left - 1], target))
                state = target
        return made

    def _best(self, left: int, state: int) -> tuple[int, int | None]:
        """Least cost with the first `left` pools still to decide, and the state after starting the last."""
        if left == 0:
            return int(self._after[self._automaton.advance[state]]), None
        if (left, state) not in self._known:
            pool = self._pools[left - 1]
            least, choice = self._best(left - 1, state)[0], None
            target = self._automaton.start(pool, state)
            if target is not None:
                started = self._best(left - 1, target)[0] + int(self._costs[pool])
                if started < least:
                    least, choice = started, target
            self._known[left, state] = (least, choice)
        return self._known[left, state]
