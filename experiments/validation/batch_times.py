"""Measured batch times beside rooflines and held-out fits: ``orsched validate batch-times``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.notebook import frames_html
from experiments.validation.batch_times_hinged import hinged_left_out
from experiments.validation.batch_times_table import batch_times, batches
from experiments.validation.group_errors import group_errors
from experiments.validation.shares import Mask, Shares, leave_groups_out, roofline
from orsched.devices import chip, model_config
from orsched.service import Batch, OperatingPoint, ServiceModel
from orsched.service.roofline.from_file import chip_scaling
from orsched.work import Floats

QUANTITIES = ("prompt", "token")
"""Time of an iteration that takes all prompts of the batch, and of one that decodes a token for each request."""

GROUPINGS = ("source", "gpu", "model", "tensor_parallel", "batch_size", "sm_percent")
"""Columns by which errors are told."""

LEFT_OUT_BY = ("gpu", "model", "tensor_parallel", "source")
"""Columns whose values are left out of a fit of shares in turn."""


@dataclass(frozen=True, slots=True, eq=False)
class BatchTimesValidation:
    """Predicted batch times and their errors.

    Parameters
    ----------
    points : DataFrame
        One row per measured cell with the predictions of the data-sheet roofline.
    errors : DataFrame
        As `group_errors`, with ``predictor``: ``datasheet``, ``held-out <column>`` or ``hinged, held-out batch size``.
    shares : mapping
        By column and value left out, the shares fitted to the rest.
    """

    points: pd.DataFrame
    errors: pd.DataFrame
    shares: Mapping[str, Mapping[str, Shares]]

    def _repr_html_(self) -> str:
        return frames_html({"errors": self.errors, "points": self.points})


def validate_batch_times(progress: Callable[[], None] = lambda: None) -> BatchTimesValidation:
    """Predict every cell and hold the predictions against what was measured.

    Parameters
    ----------
    progress : callable
        Called once per predictor, ``2 + len(LEFT_OUT_BY)`` times in all.

    Notes
    -----
    Three kinds of predictors. ``datasheet``: rooflines with the catalogue's efficiencies, nothing fitted. ``held-out
    <column>``: two shares and an overhead per iteration fitted to all cells with another value of the column and the
    whole device (100% of the SMs); cells with a share of the SMs are predicted by scaling. ``hinged, held-out batch
    size``: the hinged form fitted to the same GPU, model and tensor-parallel degree without the batch size that is
    predicted, whole device only.
    """
    points = batch_times()
    rows = list(batches(points))
    datasheet = points.assign(**_predicted(points, rows, [None] * len(points)))
    tables = [group_errors(datasheet, GROUPINGS, QUANTITIES).assign(predictor="datasheet")]
    progress()
    whole = (points["sm_percent"] == 100).to_numpy()
    measured = points[["prompt_s", "token_s"]].to_numpy(np.float64)
    shares: dict[str, Mapping[str, Shares]] = {}
    for column in LEFT_OUT_BY:
        values = points[column].astype(str).to_numpy(str)
        predict = _at_full(points[whole], [row for row, keep in zip(rows, whole, strict=True) if keep])
        fitted = leave_groups_out(predict, measured[whole].ravel(), np.repeat(values[whole], 2))
        held_out = points.assign(**_predicted(points, rows, [fitted[value] for value in values]))
        tables.append(group_errors(held_out, (column, "sm_percent"), QUANTITIES).assign(predictor=f"held-out {column}"))
        shares[column] = fitted
        progress()
    hinged = hinged_left_out(points[whole])
    tables.append(group_errors(hinged, GROUPINGS[:4], QUANTITIES).assign(predictor="hinged, held-out batch size"))
    progress()
    return BatchTimesValidation(datasheet, pd.concat(tables, ignore_index=True), shares)


def _service(row: Any, shares: Shares | None, made: dict[Any, ServiceModel]) -> ServiceModel:
    key = (row.gpu, row.model, row.tensor_parallel, row.sm_percent, shares)
    if key not in made:
        device = chip(row.gpu)
        scaling = chip_scaling(device) if row.sm_percent < 100 else None
        whole = roofline(device, model_config(row.model), row.tensor_parallel, shares, scaling)
        made[key] = whole.at(OperatingPoint(sm_share=row.sm_percent / 100))
    return made[key]


def _predicted(points: pd.DataFrame, rows: list[tuple[Batch, Batch]], shares: list[Shares | None]) -> dict[str, Floats]:
    made: dict[Any, ServiceModel] = {}
    times = []
    for row, (prompt, token), point_shares in zip(points.itertuples(), rows, shares, strict=True):
        service = _service(row, point_shares, made)
        times.append((service.iteration_s(prompt), service.iteration_s(token)))
    prompt_s, token_s = np.array(times).T
    return {"prompt_predicted_s": prompt_s, "token_predicted_s": token_s}


def _at_full(points: pd.DataFrame, rows: list[tuple[Batch, Batch]]) -> Callable[[Shares, Mask], Floats]:
    """Predict prompt and token time of each chosen cell in turn."""

    def predict(shares: Shares, chosen: Mask) -> Floats:
        keep = chosen[::2]
        some = [row for row, kept in zip(rows, keep, strict=True) if kept]
        return np.column_stack(list(_predicted(points[keep], some, [shares] * len(some)).values())).ravel()

    return predict
