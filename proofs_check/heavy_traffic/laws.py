"""Exact laws of the embedded processes: what waits at each review, step by step, as vectors of probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from orsched.work import Floats

Review = Callable[[Floats], Floats]
"""What a review does to the law of what waits just before it; index = prompts waiting."""

_TINY = 1e-18
"""Probability that a law may lose at its far end in a step."""


def poisson_law(mean: float) -> Floats:
    """Probabilities of ``0, 1, ...`` under the Poisson law, up to where less than 1e-18 is left."""
    most = int(mean + 10 * math.sqrt(mean) + 25)
    counts = np.arange(most + 1)
    logs = np.array([math.lgamma(k + 1) for k in counts.tolist()])
    law: Floats = np.exp(counts * math.log(mean) - mean - logs)
    return _trimmed(law)


def binomial_law(trials: int, success: float) -> Floats:
    """Probabilities of ``0 .. trials`` under the binomial law, ``0 < success < 1``; shape ``(trials + 1,)``."""
    counts = range(trials + 1)
    logs = np.array([math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) for k in counts])
    k = np.arange(trials + 1)
    law: Floats = np.exp(logs + k * math.log(success) + (trials - k) * math.log1p(-success))
    return law


def firing(threshold: int) -> Review:
    """WAIT's review: `threshold` of them start when so many wait, none otherwise."""

    def review(before: Floats) -> Floats:
        after = np.zeros(max(threshold, len(before) - threshold))
        after[: min(threshold, len(before))] = before[:threshold]
        fired = before[threshold:]
        after[: len(fired)] += fired
        return after

    return review


def reflected(threshold: int, floor: int) -> Review:
    """The walk that loses `threshold` at each review and never falls below `floor`."""

    def review(before: Floats) -> Floats:
        edge = threshold + floor
        after = np.zeros(max(floor + 1, len(before) - threshold))
        after[floor] = before[: edge + 1].sum()
        above = before[edge + 1 :]
        after[floor + 1 : floor + 1 + len(above)] = above
        return after

    return review


def laws(start: int, arriving: Floats, review: Review, reviews: int) -> Iterator[tuple[Floats, Floats]]:
    """Laws just before and just after each review, one review after the other, from `start` prompts on."""
    after = np.zeros(start + 1)
    after[start] = 1.0
    for _ in range(reviews):
        before = _trimmed(np.convolve(after, arriving))
        after = review(before)
        yield before, after


def mean_of(law: Floats) -> float:
    """Mean of a law on ``0, 1, ...``."""
    return float(law @ np.arange(len(law)))


def means_after(start: int, arriving: Floats, review: Review, reviews: int) -> Floats:
    """Means just after each review, shape ``(reviews,)``."""
    return np.array([mean_of(after) for _, after in laws(start, arriving, review, reviews)])


def passage(start: int, arriving: Floats, review: Review, reviews: int, level: int) -> Floats:
    """Probability of having been at `level` or above after one of the first 1, 2, ... reviews; shape ``(reviews,)``.

    Summed up from what passes at each review, so that small probabilities are right in their leading digits.
    """
    passed: list[float] = []

    def stopped(before: Floats) -> Floats:
        after = review(before)
        passed.append(float(after[level:].sum()))
        return after[:level]

    for _ in laws(start, arriving, stopped, reviews):
        pass
    return np.cumsum(passed)


def _trimmed(law: Floats) -> Floats:
    tail = np.cumsum(law[::-1])[::-1]
    return law[: max(1, int(np.count_nonzero(tail > _TINY)))]
