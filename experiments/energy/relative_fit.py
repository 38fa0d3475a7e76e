"""Non-negative fits of relative error, and their errors when a group is left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import nnls

from orsched.catalogue import FitError
from orsched.work import Floats

Fitter = Callable[[Floats, Floats], Floats]


def fit_relative(columns: Floats, measured: Floats) -> Floats:
    """Return the ``x >= 0`` of least ``sum((columns x / measured - 1)^2)``.

    Parameters
    ----------
    columns : ndarray, shape (n, terms)
        What each coefficient multiplies.
    measured : ndarray, shape (n,)
        Positive.
    """
    size = np.abs(columns).max(axis=0)
    size[size == 0] = 1.0
    solution, _ = nnls(columns / size / measured[:, None], np.ones(len(measured)))
    return np.asarray(solution / size)


def errors(group: str, predicted: Floats, measured: Floats) -> FitError:
    """Relative errors of a prediction."""
    wrong = np.abs(predicted / measured - 1)
    return FitError(group, len(wrong), float(wrong.mean()), float(np.percentile(wrong, 95)))


def left_out(name: str, columns: Floats, measured: Floats, groups: Floats) -> FitError:
    """Errors on each group of a fit without it; `groups` labels the rows."""
    predicted = np.empty(len(measured))
    for group in np.unique(groups):
        out = groups == group
        predicted[out] = columns[out] @ fit_relative(columns[~out], measured[~out])
    return errors(f"leave one {name} out", predicted, measured)
