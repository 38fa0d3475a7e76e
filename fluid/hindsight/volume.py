"""Bounds on the total latency that need no solver."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from fluid.hindsight.rounds import RoundInstance


def volume_bound(instance: RoundInstance) -> Fraction:
    """Lower bound on TEL from memory volumes: ``(1/M) sum of prefix sums of ascending volumes - sum a``.

    Proof. When the k-th completion happens at round C_(k), the k requests completed so far have held at least
    the k smallest volumes, and no round holds more than M: ``M C_(k) >= vol_(1) + ... + vol_(k)``. Sum over k
    and subtract the arrivals, which are constant. For a burst at round 0 this is the bound of
    arXiv 2606.22327.
    """
    prefix = np.cumsum(np.sort(instance.volume)).sum()
    return Fraction(int(prefix), instance.memory_tokens) - int(instance.arrival_rounds.sum())


def length_bound(instance: RoundInstance) -> int:
    """Lower bound on TEL: every request takes its o rounds, so ``sum o``."""
    return int(instance.output_tokens.sum())


def simple_bound(instance: RoundInstance) -> int:
    """The better of `volume_bound` and `length_bound`, rounded up: TEL is whole."""
    return max(-((-volume_bound(instance)) // 1), length_bound(instance))
