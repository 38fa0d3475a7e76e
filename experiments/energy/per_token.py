"""Energy per output token against batch size: ``e0 + e1 / b`` for each measured system."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.energy.data import table
from experiments.energy.relative_fit import errors, fit_relative, left_out

SYSTEM = ["gpu", "task", "model", "tensor_parallel", "pipeline_parallel"]
LEAST_POINTS = 3
"""Batch sizes that a system needs to be fitted: one more than coefficients."""


def per_token_fits() -> pd.DataFrame:
    """Fit every system of the ML.ENERGY data with at least three batch sizes.

    Returns
    -------
    DataFrame
        One row per system (columns `SYSTEM`): ``points``, ``num_seqs_low``, ``num_seqs_high``, ``e0_j`` (joules per
        token), ``e1_j`` (joules per iteration), ``mape``, ``p95_ape`` in sample and ``left_out_mape``,
        ``left_out_p95_ape`` with each batch size left out in turn.

    Notes
    -----
    The measurements are of the steady state of a server: prefills of new requests are mixed in, so that ``e0`` holds
    their energy too. ``e1`` holds the static power over an iteration of that (2024) engine.
    """
    rows = []
    for system, points in table("mlenergy_v2").groupby(SYSTEM, sort=True):
        if len(points) < LEAST_POINTS:
            continue
        batch = points["num_seqs"].to_numpy(float)
        energy = points["energy_per_output_token_j"].to_numpy(float)
        columns = np.column_stack([np.ones(len(batch)), 1 / batch])
        e0, e1 = fit_relative(columns, energy)
        inside = errors("fit", columns @ np.array([e0, e1]), energy)
        outside = left_out("batch size", columns, energy, batch)
        found = [len(batch), batch.min(), batch.max(), e0, e1]
        rows.append([*system, *found, inside.mape, inside.p95_ape, outside.mape, outside.p95_ape])
    names = ["points", "num_seqs_low", "num_seqs_high", "e0_j", "e1_j"]
    return pd.DataFrame(
        rows, columns=[*SYSTEM, *names, "mape", "p95_ape", "left_out_mape", "left_out_p95_ape"]
    ).reset_index(drop=True)
