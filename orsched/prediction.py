"""Predicted output lengths: what a policy that declares `Information.PREDICTED` knows instead of the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from orsched.errors import InputError
from orsched.work import Ints

if TYPE_CHECKING:
    from orsched.workloads import Workload


class Refresher(Protocol):
    """Predicts again while a request's tokens are generated. Part of the environment, like the `Predictor`."""

    def __call__(self, request: int, emitted_tokens: int, /) -> float:
        """Return the predicted number of output tokens that `request` has still to emit; finite and >= 1.

        `emitted_tokens` is what it has emitted so far, at least 0 and below its true length. The answer depends on
        these two numbers alone, whatever was asked before: a run must not change with how often a policy looks.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Predicted output tokens of every request of a workload; arrays of shape ``(n,)``.

    Build it with `Predictions.of`, which checks them; the engine checks what it is given in any case.

    Parameters
    ----------
    point : ndarray of int64
        The single number a policy uses as the output length; >= 1.
    low, high : ndarray of int64
        Interval the predictor gives, ``1 <= low <= point <= high``. Whether the truth lies in it is the predictor's
        promise, and its documentation says whether it makes one.
    refresher : Refresher, optional
        What is predicted of a request that has emitted some tokens. None: the same number less these tokens.
    """

    point: Ints
    low: Ints
    high: Ints
    refresher: Refresher | None = None

    @classmethod
    def of(
        cls, point: Ints, low: Ints | None = None, high: Ints | None = None, refresher: Refresher | None = None
    ) -> Predictions:
        """Check and build; without an interval it is the point itself.

        Raises
        ------
        InputError
            Naming the first row that violates ``1 <= low <= point <= high``, columns of different length, or a
            refresher that is no function.
        """
        low = point if low is None else low
        high = point if high is None else high
        columns = [np.asarray(column) for column in (low, point, high)]
        if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
            raise InputError("predictions low, point and high must be columns of the same length")
        if any(not np.issubdtype(column.dtype, np.integer) for column in columns):
            raise InputError("predictions must be whole numbers of tokens")
        least, middle, most = columns
        wrong = (least < 1) | (middle < least) | (most < middle)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"prediction of request {row}: low {least[row]}, point {middle[row]}, high {most[row]}; "
                "need 1 <= low <= point <= high"
            )
        if refresher is not None and not callable(refresher):
            raise InputError(f"predictions refresher = {refresher!r}: must be a function of a request and its tokens")
        return cls(middle.astype(np.int64), least.astype(np.int64), most.astype(np.int64), refresher)


class Predictor(Protocol):
    """Predicts output lengths. Part of the environment: it sees the true ones, the policy sees what it returns."""

    @property
    def name(self) -> str:
        """Label in tables and settings."""
        ...

    def __call__(self, workload: Workload, rng: np.random.Generator, /) -> Predictions:
        """Predict for every request, before the run; all randomness comes from `rng`."""
        ...
