"""The two synthetic laws of arXiv 2502.07115, as far as they are published, and its results on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from experiments.paths.streams import Stream, generator
from fluid.hindsight import RoundInstance
from orsched.errors import unknown_name


@dataclass(frozen=True, slots=True)
class Law:
    """A law of instances, and what was published about MC-SF over the optimum on 200 of them.

    Parameters
    ----------
    name : str
        Name on the command line.
    arrivals : callable
        Draws the arrival rounds.
    mean_ratio, worst_ratio : float
        Published TEL of MC-SF over that of the optimum (third-party notes; the best is 1.000).
    """

    name: str
    arrivals: Callable[[Generator], list[int]]
    mean_ratio: float
    worst_ratio: float

    def instance(self, seed: int, index: int) -> RoundInstance:
        """Draw one instance: M uniform on 30..50, prompts on 1..5, outputs on 1..M-s."""
        rng = generator(seed, Stream.WORKLOAD, index)
        memory = int(rng.integers(30, 51))
        arrivals: list[int] = []
        while not arrivals:
            arrivals = self.arrivals(rng)
        prompt = rng.integers(1, 6, len(arrivals))
        return RoundInstance.of(arrivals, prompt, rng.integers(1, memory - prompt + 1), memory)


def _burst(rng: Generator) -> list[int]:
    """Everything at round 0; 40..60 requests."""
    return [0] * int(rng.integers(40, 61))


def _poisson(rng: Generator) -> list[int]:
    """Poisson arrivals, rate uniform on 0.5..1.5 per round, over 40..60 rounds."""
    rate = rng.uniform(0.5, 1.5)
    per_round = rng.poisson(rate, int(rng.integers(40, 61)))
    return np.repeat(np.arange(len(per_round)), per_round).tolist()


LAWS = {law.name: law for law in (Law("burst", _burst, 1.005, 1.074), Law("poisson", _poisson, 1.047, 1.227))}


def get_law(name: str) -> Law:
    """Look up a law by name.

    Raises
    ------
    UnknownNameError
        When there is no such law.
    """
    if name not in LAWS:
        raise unknown_name("law", name, LAWS)
    return LAWS[name]
