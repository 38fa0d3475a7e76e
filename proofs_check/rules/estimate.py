"""Ever closer intervals for a mean, from ever more independent draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from proofs_check.rules.rule import Draws, Instance

FIRST = 64
"""Draws before the first look."""


@dataclass(frozen=True, slots=True)
class MeanSlack:
    """An interval ``mean +- half_width`` for the mean slack, and from how many draws.

    A slack that is not finite makes the mean minus infinity: a violation beyond measure.
    """

    mean: float
    half_width: float
    draws: int

    def witness(self, margin: float) -> Instance:
        """What a verdict shows."""
        return {"mean_slack": self.mean, "half_width": self.half_width, "margin": margin}


def looks(most: int) -> list[int]:
    """Numbers of draws at which to look: doubling from 64, the last one `most`."""
    found = []
    look = FIRST
    while look < most:
        found.append(look)
        look *= 2
    return [*found, most]


def mean_slacks(draws: Draws, most: int, error: float) -> Iterator[MeanSlack]:
    """Student's interval for the mean at each look.

    Parameters
    ----------
    draws : iterator
        Independent draws.
    most : int
        Draws at the last look, at least 2.
    error : float
        Probability that any of the intervals misses the mean on a given side, shared equally by the looks.

    Notes
    -----
    Student's interval is exact for normal slacks and close for means of 64 and more that are not very skew. Slacks
    that are all equal say nothing about a value that is taken rarely (for a probability, use `Rarely`): the
    interval is then infinite, except at the last look.
    """
    from scipy.stats import t

    points = looks(most)
    slacks: list[float] = []
    for look in points:
        slacks.extend(slack for slack, _ in islice(draws, look - len(slacks)))
        column = np.array(slacks)
        if not np.isfinite(column).all():
            yield MeanSlack(-math.inf, 0.0, look)
            return
        spread = float(column.std(ddof=1))
        width = float(t.ppf(1 - error / len(points), look - 1)) * spread / math.sqrt(look)
        yield MeanSlack(float(column.mean()), width if spread > 0 or look == most else math.inf, look)
