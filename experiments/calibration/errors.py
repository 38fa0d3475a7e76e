"""Relative errors of predicted iteration times, by regime."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orsched.catalogue import FitError
from orsched.service import Batch, ServiceModel

Floats = NDArray[np.float64]

_BATCH_COLUMNS = ["prompt_tokens", "chunk_attention", "past_tokens", "num_seqs", "kv_tokens"]


def predicted_s(service: ServiceModel, profile: pd.DataFrame) -> Floats:
    """Iteration time of each row of a profile by a service model; seconds, shape ``(n,)``."""
    rows = profile[_BATCH_COLUMNS].to_numpy(np.float64).tolist()
    return np.asarray([service.iteration_s(Batch(*row)) for row in rows], np.float64)


def regime_errors(profile: pd.DataFrame, predicted: Floats) -> tuple[FitError, ...]:
    """Return the relative errors of predicted times (seconds) by regime, in alphabetical order."""
    measured = profile["time_s"].to_numpy(np.float64)
    ape = pd.Series(np.abs(predicted - measured) / measured)
    return tuple(
        FitError(str(name), len(part), float(part.mean()), float(part.quantile(0.95)))
        for name, part in ape.groupby(profile["regime"].astype(str).to_numpy())
    )


def mean_error(errors: Iterable[FitError]) -> float:
    """Mean over regimes of their mean relative error, each regime counting equally (a fraction)."""
    return float(np.mean([error.mape for error in errors]))
