"""A statement about each of several systems, not about a system drawn at random."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from proofs_check.rules.rule import Draws, Finding, Instance, Rule

SYSTEM = "system"
"""Field of an instance that says which system it is a draw of, 0 and up."""


@dataclass(frozen=True, slots=True)
class Each:
    """A rule's statement for each of so many systems, on the draws of that system alone.

    An average, or a frequency, over systems drawn at random would say nothing about a single one. The draws are dealt
    out by their field ``"system"``. True when it is for every system; false when it is for one; otherwise undecided.
    The systems share the probability of a wrong answer.

    Parameters
    ----------
    rule : callable
        ``rule(error) -> rule`` with that probability of a wrong answer, for one system.
    systems, quick_systems : int
        How many; a quick check takes the first ones.
    error : float
        Probability of a wrong answer, all systems together.
    """

    rule: Callable[[float], Rule]
    systems: int
    quick_systems: int
    error: float = 1e-3

    def decide(self, draws: Draws, quick: bool) -> Finding:
        """Decide system by system; the slack and the witness are those of the tightest."""
        count = self.quick_systems if quick else self.systems
        dealt = _Dealt(draws)
        rule = self.rule(self.error / count)
        found = [rule.decide(dealt.of(system), quick) for system in range(count)]
        answers = {finding.true for finding in found}
        true = None if None in answers and False not in answers else answers == {True}
        tightest = min(range(count), key=lambda system: found[system].slack)
        witness = {SYSTEM: tightest, **found[tightest].witness}
        used = sum(finding.instances for finding in found)
        return Finding(true, found[tightest].slack, witness, used, 1 - self.error)


class _Dealt:
    """Draws by system; those of other systems met on the way are kept for them."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._kept: dict[int, deque[tuple[float, Instance]]] = {}

    def of(self, system: int) -> Draws:
        """The draws of one system, without end."""
        kept = self._kept.setdefault(system, deque())
        while True:
            while not kept:
                draw = next(self._draws)
                self._kept.setdefault(draw[1][SYSTEM], deque()).append(draw)
            yield kept.popleft()
