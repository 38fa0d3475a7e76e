"""A quantile of the output lengths, the same for all requests or for each bin of prompt length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orsched.checks import check_is, check_wholes, require_number
from orsched.errors import InputError
from orsched.prediction import Predictions
from policies.parts.bins import LengthBins

if TYPE_CHECKING:
    from orsched.workloads import Workload

SPREAD = (0.05, 0.95)
"""Levels of the interval's ends, unless the point's own level lies outside them."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """Predicts one quantile of the marginal output length; the interval reaches between two others.

    Nothing about the request is used but the bin of its prompt length. The quantiles come from a representative
    workload (`Quantile.of`). Promise: on requests of that law the truth is at most the point with probability
    `level`, and in the interval with probability ``levels[1] - levels[0]`` at least, each within a prompt bin.

    Parameters
    ----------
    level : float
        Level of the point, between 0 and 1.
    levels : tuple of float
        Levels of the ends of the interval.
    input_edges : tuple of int
        Inner edges of the bins of prompt length.
    low, point, high : tuple of int
        Quantiles of each bin, tokens.

    Raises
    ------
    InputError
        When a level is not between 0 and 1, that of the point not between those of the ends, or a column does not fit
        the bins or is out of order.
    """

    level: float
    levels: tuple[float, float]
    input_edges: tuple[int, ...]
    low: tuple[int, ...]
    point: tuple[int, ...]
    high: tuple[int, ...]

    def __post_init__(self) -> None:
        _require_level(self.level)
        check_is(self, "levels", tuple)
        for level in self.levels:
            _require_level(level)
        if len(self.levels) != 2 or not self.levels[0] <= self.level <= self.levels[1]:
            raise InputError(f"Quantile.levels = {self.levels}: must be two levels around {self.level}, the point's")
        bins = LengthBins(self.input_edges)
        columns = ("low", "point", "high")
        for column in columns:
            check_wholes(self, column)
        if {len(getattr(self, column)) for column in columns} != {bins.count}:
            raise InputError(f"Quantile: need {bins.count} quantiles each, one per bin of prompt length")
        if any(not a <= b <= c for a, b, c in zip(self.low, self.point, self.high, strict=True)):
            raise InputError(f"Quantile: low {self.low}, point {self.point}, high {self.high}: must not decrease")

    @classmethod
    def of(cls, workload: Workload, level: float, input_bins: int = 1) -> Quantile:
        """Learn the quantiles from `workload`, in `input_bins` bins of prompt length of about equal share.

        The interval reaches from the 5% to the 95% quantile, or as far as the point.
        """
        _require_level(level)
        levels = (min(SPREAD[0], level), max(SPREAD[1], level))
        bins = LengthBins.quantiles(workload, input_bins, 1)
        classes = bins.classify(workload)
        table = [
            np.quantile(workload.output_tokens[classes == j], (levels[0], level, levels[1]), method="inverted_cdf")
            for j in range(bins.count)
        ]
        low, point, high = (tuple(int(tokens) for tokens in column) for column in zip(*table, strict=True))
        return cls(level, levels, bins.input_edges, low, point, high)

    @property
    def name(self) -> str:
        """Label in tables."""
        return f"quantile:{self.level:g}"

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Return the quantiles of each request's bin; `rng` is not used."""
        row = LengthBins(self.input_edges).classify(workload)
        point, low, high = (np.array(column)[row] for column in (self.point, self.low, self.high))
        return Predictions.of(point, low, high)


def _require_level(level: float) -> None:
    require_number("Quantile.level", level, above=True, most=1, below=True)
