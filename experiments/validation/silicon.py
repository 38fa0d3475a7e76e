"""Measured serving points beside what rooflines predict: ``orsched validate silicon``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.notebook import frames_html
from experiments.validation.group_errors import group_errors
from experiments.validation.shares import Mask, Shares, leave_groups_out, roofline
from experiments.validation.silicon_benchmark import benchmark
from experiments.validation.silicon_load import ClosedLoop
from experiments.validation.silicon_steady_state import steady_state
from experiments.validation.silicon_table import System, silicon_points, systems
from orsched.service.roofline import Roofline
from orsched.work import Floats

GROUPINGS = ("gpu", "family", "precision", "tensor_parallel", "backend")
"""Columns by which errors are told."""

LEFT_OUT_BY = ("gpu", "family", "precision", "tensor_parallel")
"""Columns whose values are left out of a fit in turn."""

CLIENT_LENGTHS = (1024, 8192)
"""Nominal lengths of the client of `SHORTEST`."""

SHORTEST, PROMPTS_PER_USER = 0.8, 10
"""Client of InferenceMAX (README: ``--random-range-ratio 0.8 --num-prompts CONC * 10``): lengths uniform between 0.8 of
the nominal one and the nominal one. That the points of 1024 and 8192 tokens come from it is an inference of ours, from
the same lengths and concurrencies (4 to 64 there, up to 512 in the table); other lengths are taken as they are."""

_SEED = 0

Load = tuple[ClosedLoop, float]
"""The load of a point, and its shortest length over its longest."""

Made = dict[tuple[System, Shares | None], Roofline]
"""Rooflines already built."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the table does not say.

    Parameters
    ----------
    token_budget : int
        Tokens of an iteration; 8192 in InferenceMAX's vLLM commands.
    kv_bytes : float
        Bytes of a cached number; 1: an 8-bit cache.
    """

    token_budget: int = 8192
    kv_bytes: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class SiliconValidation:
    """Predictions of every point that can be predicted, and their errors.

    Parameters
    ----------
    assumptions : Assumptions
        Under which.
    points : DataFrame
        Points with ``ttft_predicted_s`` and ``tpot_predicted_s`` of the data-sheet roofline.
    errors : DataFrame
        As `group_errors`; ``predictor`` is ``datasheet`` or what was left out of the fit, as ``held-out gpu``.
    shares : mapping
        By column and value left out, the shares fitted to the rest.
    left_out : mapping of str to int
        Points that are not predicted, by reason.
    """

    assumptions: Assumptions
    points: pd.DataFrame
    errors: pd.DataFrame
    shares: Mapping[str, Mapping[str, Shares]]
    left_out: Mapping[str, int]

    def _repr_html_(self) -> str:
        return frames_html({"errors": self.errors, "points": self.points})


def validate_silicon(
    assumptions: Assumptions, table: pd.DataFrame | None = None, progress: Callable[[], None] = lambda: None
) -> SiliconValidation:
    """Predict all points and hold the predictions against what was measured.

    Parameters
    ----------
    assumptions : Assumptions
        What the table does not say.
    table : DataFrame, optional
        Points; default: the bundled ones.
    progress : callable
        Called once per predictor, ``1 + len(LEFT_OUT_BY)`` times in all.

    Notes
    -----
    Two kinds of predictors. ``datasheet``: peaks and efficiencies as the catalogue has them, nothing fitted.
    ``held-out <column>``: for each value of the column, achieved shares of arithmetic and bandwidth and an overhead per
    iteration are fitted to the *TPOT* of all points with another value (steady state in closed form), and the points
    with the value are predicted with them, by simulating the benchmark. TTFT is never fitted: in this table it holds
    times that are no iterations (with TensorRT-LLM, Llama-3.1-70B in fp8 on 4 B200 and 4 users, 0.19 s for 1024 prompt
    tokens when 1024 are generated and 0.06 s when 8192 are), which would pass for slow arithmetic.
    """
    found = systems(silicon_points() if table is None else table, assumptions.kv_bytes)
    left_out = found.loc[found["left_out"] != "", "left_out"].value_counts().to_dict()
    points = found[found["left_out"] == ""].reset_index(drop=True)
    loops = [_loop(row, assumptions.token_budget) for row in points.itertuples()]
    datasheet = points.assign(**_benchmarked(points, loops, [None] * len(points)))
    tables = [group_errors(datasheet, GROUPINGS, ("ttft", "tpot")).assign(predictor="datasheet")]
    progress()
    shares: dict[str, Mapping[str, Shares]] = {}
    measured = points["tpot_s"].to_numpy(np.float64)
    for column in LEFT_OUT_BY:
        values = points[column].astype(str).to_numpy(str)
        shares[column] = fitted = leave_groups_out(_steady_tpot(points, loops), measured, values)
        held_out = points.assign(**_benchmarked(points, loops, [fitted[value] for value in values]))
        tables.append(group_errors(held_out, (column,), ("ttft", "tpot")).assign(predictor=f"held-out {column}"))
        progress()
    return SiliconValidation(
        assumptions, datasheet.drop(columns="system"), pd.concat(tables, ignore_index=True), shares, left_out
    )


def _loop(row: Any, token_budget: int) -> Load:
    nominal = row.input_tokens in CLIENT_LENGTHS and row.output_tokens in CLIENT_LENGTHS
    shortest = SHORTEST if nominal else 1.0
    mean = (1 + shortest) / 2
    return ClosedLoop(row.concurrency, mean * row.input_tokens, mean * row.output_tokens, token_budget), shortest


def _service(system: System, shares: Shares | None, made: Made) -> Roofline:
    if (system, shares) not in made:
        made[system, shares] = roofline(system.chip, system.model, system.tensor_parallel, shares)
    return made[system, shares]


def _benchmarked(points: pd.DataFrame, loops: list[Load], shares: list[Shares | None]) -> dict[str, Floats]:
    """Mean TTFT and TPOT over all requests of the benchmark, the first wave included."""
    made: Made = {}
    times = []
    for system, (loop, shortest), point_shares in zip(points["system"], loops, shares, strict=True):
        found = benchmark(loop, _service(system, point_shares, made), PROMPTS_PER_USER, shortest, _SEED)
        times.append((found.ttft_s.mean(), found.tpot_s.mean()))
    ttft, tpot = np.array(times).T
    return {"ttft_predicted_s": ttft, "tpot_predicted_s": tpot}


def _steady_tpot(points: pd.DataFrame, loops: list[Load]) -> Callable[[Shares, Mask], Floats]:
    def predict(shares: Shares, chosen: Mask) -> Floats:
        made: Made = {}
        return np.array(
            [
                steady_state(loop, _service(system, shares, made)).tpot_s
                for system, (loop, _), keep in zip(points["system"], loops, chosen, strict=True)
                if keep
            ]
        )

    return predict
