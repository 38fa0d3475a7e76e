"""The inequality must hold in expectation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from statistics import NormalDist

import numpy as np

from proofs_check.rules.rule import Draws, Finding


@dataclass(frozen=True, slots=True)
class OnAverage:
    """The mean slack is >= 0, tested sequentially on independent draws.

    After 64, 128, 256, ... draws a normal interval for the mean is formed, each of ``L`` looks with error probability
    ``error / L``. Above ``-margin`` as a whole: true. Below 0 as a whole: false. Neither at the last look: undecided.
    A statement that is wrong by more than `margin` is found true with probability at most `error`, and a true one is
    found false with probability at most `error`, up to the normal approximation of means of 64 and more.

    Parameters
    ----------
    margin : float
        By how much the mean may fall short and still count as true, in the unit of the slack; > 0.
    most, quick_most : int
        Most draws.
    error : float
        Probability of a wrong answer.
    """

    margin: float
    most: int = 65_536
    quick_most: int = 1_024
    error: float = 1e-3

    def decide(self, draws: Draws, quick: bool) -> Finding:
        """Look after ever more draws until one side is clear."""
        looks = _looks(self.quick_most if quick else self.most)
        width = NormalDist().inv_cdf(1 - self.error / len(looks) / 2)
        slacks: list[float] = []
        true: bool | None = None
        mean = half = math.nan
        for look in looks:
            slacks.extend(slack for slack, _ in islice(draws, look - len(slacks)))
            mean = float(np.mean(slacks))
            half = width * float(np.std(slacks, ddof=1)) / math.sqrt(look)
            if mean - half >= -self.margin:
                true = True
            elif mean + half < 0:
                true = False
            if true is not None:
                break
        estimate = {"mean_slack": mean, "half_width": half, "margin": self.margin}
        return Finding(true, mean - half + self.margin, estimate, len(slacks), 1 - self.error)


def _looks(most: int) -> list[int]:
    """Numbers of draws at which to look: doubling from 64, the last one `most`."""
    looks = []
    look = 64
    while look < most:
        looks.append(look)
        look *= 2
    return [*looks, most]
