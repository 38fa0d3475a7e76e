"""The measured serving points (TTFT and TPOT at a concurrency), and which of them can be predicted."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from types import MappingProxyType

import pandas as pd

from orsched.devices import Chip, ModelConfig, find_chip, find_model

WEIGHT_BYTES = MappingProxyType({"bf16": 2.0, "fp8": 1.0, "fp4": 0.5625})
"""Bytes of a weight by precision; fp4 is NVFP4: 4 bits, and an 8-bit scale for every 16 weights."""

MOST_GPUS = 8
"""GPUs of one server: what the link rates of the chips hold for."""

MEMORY_SHARE = 0.9
"""Share of the memory that an engine uses (vLLM's default); what does not fit would be preempted."""

_QUANTISED = re.compile(r"-(FP8|NVFP4)$")


@dataclass(frozen=True, slots=True)
class System:
    """What served: a chip, a model at its precision, and the GPUs that share it."""

    chip: Chip
    model: ModelConfig
    tensor_parallel: int


def silicon_points() -> pd.DataFrame:
    """Read the bundled points, one per row (see ``orsched/data/validation/README.md``)."""
    with (resources.files("orsched") / "data" / "validation" / "silicon_points.parquet").open("rb") as stream:
        return pd.read_parquet(stream)


def systems(points: pd.DataFrame, kv_bytes: float) -> pd.DataFrame:
    """Add ``family`` (catalogue name of the model), ``system`` (`System`) and ``left_out`` (why it is not predicted).

    Parameters
    ----------
    points : DataFrame
        As `silicon_points`.
    kv_bytes : float
        Bytes of a cached number; the table does not say.
    """
    found = [_system(row, kv_bytes) for row in points.itertuples()]
    return points.assign(
        family=[system.model.name if system else "" for system, _ in found],
        system=pd.Series([system for system, _ in found], index=points.index, dtype=object),
        left_out=[why for _, why in found],
    )


def _system(row: object, kv_bytes: float) -> tuple[System | None, str]:
    gpus, precision = int(row.tensor_parallel), str(row.precision)  # type: ignore[attr-defined]
    chip, model = find_chip(row.gpu.replace("_", "-")), _model(row.model)  # type: ignore[attr-defined]
    if model is None:
        return None, "shape of the model not in the catalogue"
    if chip is None:
        return None, "GPU not in the catalogue"
    if precision not in WEIGHT_BYTES:
        return None, f"precision {precision}"
    if gpus > MOST_GPUS:
        return None, f"more than {MOST_GPUS} GPUs"
    if row.attention_data_parallel > 1:  # type: ignore[attr-defined]
        return None, "data-parallel attention"
    system = System(chip, _at(model, WEIGHT_BYTES[precision], kv_bytes), gpus)
    tokens = row.concurrency * (row.input_tokens + row.output_tokens)  # type: ignore[attr-defined]
    needed = system.model.weight_bytes / gpus + tokens * system.model.kv_bytes_per_token_on(gpus)
    if needed > MEMORY_SHARE * chip.memory_bytes:
        return None, "weights and KV cache exceed the memory"
    return system, ""


@cache
def _model(name: str) -> ModelConfig | None:
    return find_model(_QUANTISED.sub("", name))


@cache
def _at(model: ModelConfig, weight_bytes: float, kv_bytes: float) -> ModelConfig:
    return replace(model, dtype_bytes=weight_bytes, kv_dtype_bytes=kv_bytes)
