"""Sample paths of Poisson types, the same for every policy and a beginning of those with a longer horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orsched.errors import InputError
from orsched.work import Floats, Ints
from orsched.workloads import Workload
from proofs_check.heavy_traffic.types import PromptType

_SPARE = 64


@dataclass(frozen=True, slots=True, eq=False)
class ArrivalPath:
    """Arrivals of all types in order of time; arrays of shape ``(n,)``.

    Parameters
    ----------
    types : tuple of PromptType
        The types.
    arrival_s : ndarray of float64
        Arrival times in seconds, non-decreasing.
    kind : ndarray of int64
        Type of each arrival.
    """

    types: tuple[PromptType, ...]
    arrival_s: Floats
    kind: Ints

    @property
    def decode_steps(self) -> Ints:
        """``l'`` of each arrival."""
        return np.array([kind.decode_steps for kind in self.types])[self.kind]

    def workload(self) -> Workload:
        """The path as a workload of the engine.

        Raises
        ------
        InputError
            When nothing arrives.
        """
        prompts = np.array([kind.prompt_tokens for kind in self.types])
        outputs = np.array([kind.output_tokens for kind in self.types])
        return Workload.of(self.arrival_s, prompts[self.kind], outputs[self.kind], name="Poisson types")


def draw_path(types: Sequence[PromptType], until_s: float, rng: np.random.Generator) -> ArrivalPath:
    """Draw the arrivals of independent Poisson types on ``[0, until_s)``.

    Each type has a child stream of `rng` of its own, so that a longer path begins with the shorter one.

    Raises
    ------
    InputError
        When `until_s` is not a positive, finite number.
    """
    if not 0 < until_s < np.inf:
        raise InputError(f"until_s = {until_s!r}: must be a positive, finite number of seconds")
    times = [
        _poisson(kind.rate_per_s, until_s, child) for kind, child in zip(types, rng.spawn(len(types)), strict=True)
    ]
    arrivals = np.concatenate(times)
    kinds = np.repeat(np.arange(len(types)), [len(own) for own in times])
    order = np.argsort(arrivals, kind="stable")
    return ArrivalPath(tuple(types), arrivals[order], kinds[order])


def _poisson(rate_per_s: float, until_s: float, rng: np.random.Generator) -> Floats:
    mean = rate_per_s * until_s
    step = int(mean + 4 * mean**0.5) + _SPARE
    times = np.cumsum(rng.exponential(1 / rate_per_s, step))
    while times[-1] < until_s:
        times = np.append(times, times[-1] + np.cumsum(rng.exponential(1 / rate_per_s, step)))
    return times[times < until_s]
