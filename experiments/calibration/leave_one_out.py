"""Leave-one-group-out cross-validation of a fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from experiments.calibration.fit import Fit
from orsched.errors import InputError


def leave_one_group_out(profile: pd.DataFrame, refit: Callable[[pd.DataFrame], Fit]) -> float:
    """Return the mean absolute relative error on groups the fit has not seen (a fraction).

    Each group is left out in turn, the rest is refitted (hinge included) and the group predicted.
    The mean is over regimes, each counting equally, as in the fit.

    Parameters
    ----------
    profile : DataFrame
        Timed iterations; ``group`` labels the rows left out together.
    refit : callable
        Fits a profile.

    Raises
    ------
    InputError
        There are fewer than two groups.
    """
    groups = profile["group"].to_numpy()
    names = np.unique(groups)
    if names.size < 2:
        raise InputError(f"group has {names.size} distinct value(s); at least 2 are needed")
    measured = profile["time_s"].to_numpy(np.float64)
    predicted = np.empty_like(measured)
    for name in names:
        left_out = groups == name
        predicted[left_out] = refit(profile[~left_out]).predict_s(profile[left_out])
    ape = pd.Series(np.abs(predicted - measured) / measured)
    return float(ape.groupby(profile["regime"].astype(str).to_numpy()).mean().mean())
