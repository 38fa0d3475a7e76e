"""The inequality must hold in expectation."""

from __future__ import annotations

from dataclasses import dataclass

from proofs_check.rules.estimate import mean_slacks
from proofs_check.rules.rule import Draws, Finding


@dataclass(frozen=True, slots=True)
class OnAverage:
    """The mean slack is >= 0, tested sequentially on independent draws.

    After 128, 256, 512, ... draws an interval for the mean is formed (`mean_slacks`). Above ``-margin`` as a whole:
    true. Below 0 as a whole: false. Neither at the last look: undecided. A statement that is wrong by more than
    `margin` is found true with probability at most `error`, and a true one is found false with probability at most
    `error`. One that is wrong by less may be found either. These probabilities are nominal: close for slacks that are
    not heavily skewed.

    Parameters
    ----------
    margin : float
        By how much the mean may fall short and still count as true, in the unit of the slack; > 0.
    most, quick_most : int
        Most draws.
    error : float
        Nominal probability of a wrong answer.
    """

    margin: float
    most: int = 65_536
    quick_most: int = 1_024
    error: float = 1e-3

    def decide(self, draws: Draws, quick: bool) -> Finding:
        """Look after ever more draws until one side is clear."""
        true: bool | None = None
        for found in mean_slacks(draws, min(self.quick_most, self.most) if quick else self.most, self.error):
            if found.least >= -self.margin:
                true = True
            elif found.largest < 0:
                true = False
            if true is not None:
                break
        return Finding(true, found.least + self.margin, found.witness(self.margin), found.draws, 1 - self.error)
