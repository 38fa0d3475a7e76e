"""Classes for policies that know them: bins of prompt and output length."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from orsched.checks import check_wholes, require_whole
from orsched.errors import InputError
from orsched.work import Floats, Ints
from orsched.workloads import Workload

MOST_CLASSES = 1000
"""Most classes that a grid is learnt with (ours): each is looked at by those who build a policy, and has a queue."""


@dataclass(frozen=True, slots=True)
class LengthBins:
    """A rectangular grid over (prompt, output) lengths; cell ``i * len(output bins) + j`` is a class.

    Parameters
    ----------
    input_edges, output_edges : tuple of int
        Inner edges, increasing; a length equal to an edge belongs to the upper bin.
    """

    input_edges: tuple[int, ...] = ()
    output_edges: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("input_edges", "output_edges"):
            check_wholes(self, name, count=0)
            edges = getattr(self, name)
            if any(b <= a for a, b in pairwise(edges)):
                raise InputError(f"LengthBins.{name} = {edges}: must be increasing")

    @classmethod
    def quantiles(
        cls, workload: Workload, input_bins: int, output_bins: int, weights: Floats | None = None
    ) -> LengthBins:
        """Bins that split each length at its quantiles into about equal shares (fewer where lengths repeat).

        Parameters
        ----------
        workload : Workload
            Its lengths.
        input_bins, output_bins : int
            Bins of prompt and of output length; at most `MOST_CLASSES` classes in all.
        weights : ndarray of float64, optional
            What each request counts, shape ``(n,)``; by default all alike.

        Raises
        ------
        InputError
            When a number of bins is not so.
        """
        for name, bins in (("input_bins", input_bins), ("output_bins", output_bins)):
            require_whole(name, bins, most=MOST_CLASSES)
        if input_bins * output_bins > MOST_CLASSES:
            raise InputError(f"{input_bins} input_bins x {output_bins} output_bins: at most {MOST_CLASSES} classes")
        return cls(
            _inner_quantiles(workload.input_tokens, input_bins, weights),
            _inner_quantiles(workload.output_tokens, output_bins, weights),
        )

    @property
    def count(self) -> int:
        """Number of classes."""
        return (len(self.input_edges) + 1) * (len(self.output_edges) + 1)

    def __call__(self, input_tokens: int, output_tokens: int | None, /) -> float:
        """Class of a request; knowing it means knowing the bin of its output length."""
        assert output_tokens is not None or not self.output_edges, "class information includes the output bin"
        row = bisect_right(self.input_edges, input_tokens)
        column = bisect_right(self.output_edges, output_tokens or 1)
        return row * (len(self.output_edges) + 1) + column

    def classify(self, workload: Workload) -> Ints:
        """Class of every request, shape ``(n,)``."""
        rows = np.searchsorted(np.array(self.input_edges), workload.input_tokens, side="right")
        columns = np.searchsorted(np.array(self.output_edges), workload.output_tokens, side="right")
        return np.asarray(rows * (len(self.output_edges) + 1) + columns, dtype=np.int64)

    def describe(self) -> str:
        """The edges in words, for results."""
        return f"prompt tokens at {list(self.input_edges)}, output tokens at {list(self.output_edges)}"


def _inner_quantiles(lengths: Ints, bins: int, weights: Floats | None) -> tuple[int, ...]:
    cuts = np.quantile(lengths, np.arange(1, bins) / bins, weights=weights, method="inverted_cdf") + 1
    return tuple(int(c) for c in np.unique(cuts) if c <= lengths.max())
