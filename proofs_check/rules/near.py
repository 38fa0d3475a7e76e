"""An expectation must have a stated value."""

from __future__ import annotations

from dataclasses import dataclass

from proofs_check.rules.estimate import mean_slacks
from proofs_check.rules.rule import Draws, Finding


@dataclass(frozen=True, slots=True)
class Near:
    """The mean slack is 0, tested sequentially on independent draws: for what equals, slack is the difference.

    Two-sided intervals as for `OnAverage`. Within ``-margin .. margin`` as a whole: true. Without 0: false. Neither at
    the last look: undecided. A mean farther from 0 than `margin` is found true with probability at most `error`, a
    mean of 0 is found false with probability at most `error`. One that is nearer than `margin` may be found either.

    Parameters
    ----------
    margin : float
        How far from 0 the mean may be and still count as 0, in the unit of the slack; > 0.
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
        """Look after ever more draws until the interval is small enough or does not contain 0."""
        true: bool | None = None
        for found in mean_slacks(draws, min(self.quick_most, self.most) if quick else self.most, self.error / 2):
            farthest = max(-found.least, found.largest)
            if farthest <= self.margin:
                true = True
            elif found.least > 0 or found.largest < 0:
                true = False
            if true is not None:
                break
        return Finding(true, self.margin - farthest, found.witness(self.margin), found.draws, 1 - self.error)
