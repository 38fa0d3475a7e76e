"""The mean output length of a request's class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orsched.checks import check_is, check_wholes
from orsched.errors import InputError
from orsched.prediction import Predictions
from policies.parts.bins import LengthBins

if TYPE_CHECKING:
    from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class ClassMean:
    """Predicts the mean output length of the class; the classes are bins of prompt and output length.

    It knows the class without error, as a policy with class information does, and nothing beyond it. The means come
    from a representative workload (`ClassMean.of`), not from the path. It promises nothing about single requests.

    Parameters
    ----------
    bins : LengthBins
        The classes.
    means : tuple of int
        Mean output length of each class, rounded to whole tokens; one per class, >= 1.

    Raises
    ------
    InputError
        When there are not as many means as classes, or a mean is no whole number >= 1.
    """

    bins: LengthBins
    means: tuple[int, ...]

    def __post_init__(self) -> None:
        check_is(self, "bins", LengthBins)
        check_wholes(self, "means")
        if len(self.means) != self.bins.count:
            raise InputError(f"ClassMean.means = {self.means}: need {self.bins.count} means, one per class")

    @classmethod
    def of(cls, workload: Workload, bins: LengthBins | None = None) -> ClassMean:
        """Learn the means from `workload`; without bins all requests are one class.

        A class without requests gets the mean of all.
        """
        bins = LengthBins() if bins is None else bins
        outputs, classes = workload.output_tokens, bins.classify(workload)
        counts = np.bincount(classes, minlength=bins.count)
        totals = np.bincount(classes, weights=outputs, minlength=bins.count)
        means = np.where(counts > 0, totals / np.maximum(counts, 1), outputs.mean())
        return cls(bins, tuple(int(mean) for mean in np.rint(means)))

    @property
    def name(self) -> str:
        """Label in tables, with the number of classes."""
        return f"class-mean:{self.bins.count}"

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Return the mean of each request's class; `rng` is not used."""
        return Predictions.of(np.array(self.means, dtype=np.int64)[self.bins.classify(workload)])
