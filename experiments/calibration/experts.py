"""Which share of a mixture of experts a batch wakes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.calibration.kernels import Series
from orsched.devices import ModelConfig
from orsched.errors import InputError

Floats = NDArray[np.float64]


def activated_experts(shape: ModelConfig, tokens: Floats, experts: int) -> Floats:
    """Expected experts, of `experts` held here, that at least one of `tokens` visits; shape of `tokens`.

    Ours: every token chooses its experts uniformly and independently, ``E (1 - (1 - k / n)^T)``. Real routing is less
    even and wakes fewer.
    """
    return np.asarray(experts * (1.0 - (1.0 - shape.active_experts / shape.experts) ** tokens), np.float64)


def expert_times(table: pd.DataFrame, shape: ModelConfig, ranks: int = 1) -> Series:
    """Time of one layer's experts by tokens of a rank, when `ranks` share tokens and experts evenly.

    Parameters
    ----------
    table : DataFrame
        ``x`` tokens, ``x2`` activated experts, ``time_s`` of one layer.
    shape : ModelConfig
        A mixture of experts.
    ranks : int
        Expert-parallel ranks, each with its own tokens: a rank then holds ``1/ranks`` of the experts and serves that
        share of the tokens of all, so that it works through as many (token, expert) pairs as its own tokens have.

    Raises
    ------
    InputError
        When the model has no experts.
    """
    if not shape.experts:
        raise InputError(f"the profile times experts, but {shape.name} has none")
    at = np.unique(table["x"].to_numpy(np.float64))
    awake = activated_experts(shape, at * ranks, shape.experts // ranks)
    values = []
    for tokens, experts in zip(at, awake, strict=True):
        row = table[table["x"] == tokens].sort_values("x2")
        values.append(np.interp(experts, row["x2"].to_numpy(np.float64), row["time_s"].to_numpy(np.float64)))
    return Series(at, np.asarray(values, np.float64))
