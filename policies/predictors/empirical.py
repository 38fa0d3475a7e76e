"""Measured output-length classifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orsched.errors import unknown_name
from orsched.prediction import Predictions
from orsched.work import Ints
from policies.predictors.confusion import Confusion, confusions

if TYPE_CHECKING:
    from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Empirical:
    """Errs as a measured BERT classifier did on the answers of vicuna-13b.

    A request's predicted class is drawn from the measured distribution given the bin of its true length. The point is
    the mean true length of the requests that got that class, the interval what the class stands for, widened to hold
    the point (needed by the top class only, which is mostly predicted for shorter answers). It promises nothing about
    single requests.

    Parameters
    ----------
    model : str
        ``cls`` (classes split at the median and the 99% quantile of the length) or ``multi_cls`` (at the quartiles
        and the 99% quantile).

    Raises
    ------
    UnknownNameError
        For another classifier.

    Notes
    -----
    The counts reach from 2 to 511 tokens. A longer answer errs as those of the longest bin (431 to 511) do, so it is
    always predicted too short; an answer of one token errs as those of two.
    """

    model: str = "multi_cls"

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or self.model not in confusions():
            raise unknown_name("output-length classifier", self.model, confusions())

    @property
    def name(self) -> str:
        """Label in tables."""
        return f"empirical:{self.model}"

    @property
    def confusion(self) -> Confusion:
        """The measured counts."""
        return confusions()[self.model]

    @property
    def points(self) -> Ints:
        """Predicted length of each class, whole tokens, shape ``(k,)``."""
        return np.rint(self.confusion.class_means).astype(np.int64)

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Draw the predicted classes, independently."""
        confusion, points = self.confusion, self.points
        shares = confusion.shares.cumsum(axis=1)[confusion.bin_of(workload.output_tokens)]
        drawn = rng.random(len(workload))[:, None]
        predicted = (shares[:, :-1] <= drawn).sum(axis=1)
        low, high = np.minimum(confusion.class_low, points), np.maximum(confusion.class_high, points)
        return Predictions.of(points[predicted], low[predicted], high[predicted])
