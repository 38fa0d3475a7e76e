"""Demand per second: what arrives at which rate, for the fluid programmes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orsched.errors import InputError
from orsched.work import Floats, RequestWork
from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class ClassRate:
    """Requests of the same lengths arriving at a constant rate.

    WAIT's type with prefill length ``l`` and ``l'`` decode iterations is ``ClassRate(rate, l, l' + 1)``: the
    iteration that finishes the prompt emits the first output token.

    Parameters
    ----------
    rate_per_s : float
        Requests per second, > 0.
    input_tokens, output_tokens : int
        Lengths, >= 1.
    """

    rate_per_s: float
    input_tokens: int
    output_tokens: int

    def __post_init__(self) -> None:
        if not (self.rate_per_s > 0 and math.isfinite(self.rate_per_s)):
            raise InputError(f"ClassRate.rate_per_s = {self.rate_per_s!r}: must be finite and > 0")
        for field in ("input_tokens", "output_tokens"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise InputError(f"ClassRate.{field} = {value!r}: must be a whole number >= 1")


Demand = Workload | Sequence[ClassRate]
"""What the fluid programmes accept: a workload (its empirical mix at its own rate) or classes with rates."""


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Columns of a demand, one row per class; arrays of shape ``(k,)``.

    Parameters
    ----------
    rate_per_s : ndarray of float64
        Requests per second of each class, for the whole fleet.
    work : RequestWork
        Work of one request of each class.
    """

    rate_per_s: Floats
    work: RequestWork

    @classmethod
    def of(cls, demand: Demand) -> Rates:
        """Tabulate a demand; a workload is grouped by its distinct pairs of lengths.

        Raises
        ------
        InputError
            When there is no class, or the workload has no rate (fewer than two arrival times).
        """
        if isinstance(demand, Workload):
            return cls._pooled(demand)
        if not demand:
            raise InputError("a demand needs at least one class")
        rates = np.array([c.rate_per_s for c in demand], dtype=float)
        inputs = np.array([c.input_tokens for c in demand], dtype=np.int64)
        outputs = np.array([c.output_tokens for c in demand], dtype=np.int64)
        return cls(rates, RequestWork.of(inputs, outputs))

    @classmethod
    def _pooled(cls, workload: Workload) -> Rates:
        pairs, counts = np.unique(
            np.column_stack([workload.input_tokens, workload.output_tokens]), axis=0, return_counts=True
        )
        share = workload.rate_per_s / len(workload)
        return cls(share * counts.astype(float), RequestWork.of(pairs[:, 0], pairs[:, 1]))

    def __len__(self) -> int:
        """Count the classes."""
        return len(self.rate_per_s)

    @property
    def total_per_s(self) -> float:
        """Requests per second over all classes."""
        return float(np.sum(self.rate_per_s))

    @property
    def least_prompt(self) -> int:
        """Shortest prompt, tokens."""
        return int(self.work.prompt_tokens.min())

    def classes(self) -> tuple[ClassRate, ...]:
        """Return the rows as records."""
        columns = (self.rate_per_s.tolist(), self.work.prompt_tokens.tolist(), self.work.iterations.tolist())
        return tuple(ClassRate(*row) for row in zip(*columns, strict=True))


def class_rates(workload: Workload) -> tuple[ClassRate, ...]:
    """Rates of each distinct pair of lengths in a workload, at the workload's own rate, sorted by lengths."""
    return Rates.of(workload).classes()
