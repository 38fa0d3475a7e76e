"""Measured confusion of output-length classifiers: how often which class was predicted for which true length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from orsched.errors import InputError
from orsched.work import Floats, Ints

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "classifier",
    "predicted_class",
    "class_low_tokens",
    "class_high_tokens",
    "true_low_tokens",
    "true_high_tokens",
    "count",
)
"""Columns of the file; it may have others."""


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Joint counts of true length (in bins) and predicted class of one classifier.

    Parameters
    ----------
    true_low, true_high : ndarray of int64
        Shape ``(b,)``: first and last length of each bin of true lengths, tokens; the bins join up.
    class_low, class_high : ndarray of int64
        Shape ``(k,)``: the lengths each class stands for; the classes join up.
    counts : ndarray of int64
        Shape ``(b, k)``.
    """

    true_low: Ints
    true_high: Ints
    class_low: Ints
    class_high: Ints
    counts: Ints

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Confusion:
        """Check the rows of one classifier and arrange them.

        Raises
        ------
        InputError
            When bins or classes overlap or leave gaps, a pair comes twice, a count is below 1, or a bin or class is
            never met.
        """
        bins = frame[["true_low_tokens", "true_high_tokens"]].drop_duplicates().sort_values("true_low_tokens")
        buckets = frame[["predicted_class", "class_low_tokens", "class_high_tokens"]].drop_duplicates()
        buckets = buckets.sort_values("predicted_class")
        true_low, true_high = (bins[name].to_numpy(np.int64) for name in bins)
        labels, class_low, class_high = (buckets[name].to_numpy(np.int64) for name in buckets)
        _require_joined("bins of true length", true_low, true_high)
        _require_joined("classes", class_low, class_high)
        if labels.tolist() != list(range(len(labels))):
            raise InputError(f"confusion counts: classes {labels.tolist()} must be numbered from 0 without gaps")
        counts = np.zeros((len(true_low), len(labels)), dtype=np.int64)
        row = np.searchsorted(true_low, frame["true_low_tokens"].to_numpy())
        column = frame["predicted_class"].to_numpy()
        given = frame["count"].to_numpy(np.int64)
        if given.min() < 1 or len({*zip(row.tolist(), column.tolist(), strict=True)}) < len(frame):
            raise InputError("confusion counts: every pair of bin and class comes once, with a count >= 1")
        counts[row, column] = given
        return cls(true_low, true_high, class_low, class_high, counts)

    @property
    def shares(self) -> Floats:
        """Share of each predicted class given the bin of the true length, shape ``(b, k)``."""
        return np.asarray(self.counts / self.counts.sum(axis=1, keepdims=True))

    @property
    def class_means(self) -> Floats:
        """Mean true length given the predicted class, shape ``(k,)``, lengths uniform within a bin."""
        middle = (self.true_low + self.true_high) / 2
        return np.asarray(middle @ self.counts / self.counts.sum(axis=0))

    @property
    def accuracy(self) -> float:
        """Share of requests whose predicted class contains the true length, lengths uniform within a bin."""
        first = np.maximum(self.true_low[:, None], self.class_low)
        last = np.minimum(self.true_high[:, None], self.class_high)
        within = np.maximum(0, last - first + 1) / (self.true_high - self.true_low + 1)[:, None]
        return float((within * self.counts).sum() / self.counts.sum())

    def mean_absolute_error(self, points: Ints) -> float:
        """Mean of ``|points[predicted class] - true length|``, tokens; lengths uniform within a bin.

        Parameters
        ----------
        points : ndarray of int64
            Shape ``(k,)``.
        """
        errors = [
            np.abs(np.arange(low, high + 1)[:, None] - points).mean(axis=0)
            for low, high in zip(self.true_low, self.true_high, strict=True)
        ]
        return float((np.array(errors) * self.counts).sum() / self.counts.sum())

    def bin_of(self, output_tokens: Ints) -> Ints:
        """Bin of each length; what lies below the first bin or above the last counts as those."""
        return np.asarray(np.clip(np.searchsorted(self.true_low, output_tokens, side="right") - 1, 0, None))


@cache
def confusions() -> Mapping[str, Confusion]:
    """Read and check the bundled counts, by classifier (source and licence: ``orsched/data/predictions/README.md``)."""
    with resources.as_file(
        resources.files("orsched") / "data" / "predictions" / "output_length_confusion.parquet"
    ) as p:
        return read_confusions(p)


def read_confusions(path: Path) -> Mapping[str, Confusion]:
    """Read and check the counts in a Parquet file, by classifier.

    Raises
    ------
    InputError
        Naming a missing column, or as `Confusion.of`.
    """
    import pandas as pd

    frame = pd.read_parquet(path)
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    return MappingProxyType({str(name): Confusion.of(rows) for name, rows in frame.groupby("classifier", sort=True)})


def _require_joined(what: str, low: Ints, high: Ints) -> None:
    if low[0] < 1 or (high < low).any() or (low[1:] != high[:-1] + 1).any():
        raise InputError(f"confusion counts: {what} {low.tolist()} to {high.tolist()} overlap or leave gaps")
