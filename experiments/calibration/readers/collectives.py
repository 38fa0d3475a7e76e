"""Time of the collectives of a tensor-parallel or expert-parallel group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.calibration.formats import AIC_COMM
from experiments.calibration.kernels import Series, series
from experiments.calibration.readers.tables import Tables
from experiments.calibration.request import Wanted, spelling_of
from orsched.errors import InputError

_GRAPH = "vLLM_custom_graph"
_TOKENS = np.unique(np.rint(np.geomspace(1, 16384, 57)))


def all_reduces(tables: Tables, wanted: Wanted) -> tuple[Series | None, str]:
    """Time of the two all-reduces of every layer by tokens, and what it was read from or why it is missing.

    Each reduces ``tokens x hidden`` numbers of two bytes over the tensor-parallel group (Megatron-LM, arXiv
    1909.08053, section 3). vLLM's own kernel within CUDA graphs is taken where it was timed, otherwise NCCL.
    """
    if wanted.tensor_parallel == 1:
        return None, ""
    if AIC_COMM not in tables:
        return None, (
            f"no collectives in the profile: the two all-reduces a layer of {wanted.tensor_parallel} GPUs are missing "
            "from these times (an aic_comm table would supply them)"
        )
    table = _of_gpu(tables, wanted)
    table = table[table["op"] == "all_reduce"]
    graph = table[table["kernel"] == _GRAPH]
    chosen = graph if not graph.empty else table[table["dtype"] == "half"]
    one = _numbers(_newest(chosen), wanted.tensor_parallel, "all_reduce")
    total = Series(_TOKENS, 2 * wanted.shape.layers * one(_TOKENS * wanted.shape.hidden))
    return total, f"two all-reduces a layer ({_named(chosen)})"


def gather_and_scatter(tables: Tables, wanted: Wanted) -> tuple[Series, str]:
    """Time of an all-gather before and a reduce-scatter after the experts of every layer, by tokens of one rank.

    Every rank sees the tokens of all `wanted.ranks` (vLLM's ``allgather_reducescatter``).
    """
    table = _of_gpu(tables, wanted)
    table = table[table["dtype"] == "half"]
    elements = _TOKENS * wanted.ranks * wanted.shape.hidden
    values = np.zeros_like(_TOKENS)
    for name in ("all_gather", "reduce_scatter"):
        values += _numbers(_newest(table[table["op"] == name]), wanted.ranks, name)(elements)
    layers = wanted.shape.expert_layers
    return Series(_TOKENS, layers * values), f"an all-gather and a reduce-scatter a layer ({_named(table)})"


def _of_gpu(tables: Tables, wanted: Wanted) -> pd.DataFrame:
    table = tables.one(AIC_COMM, " for the collectives")
    name = wanted.collectives_gpu or wanted.gpu
    found = table[table["gpu"] == spelling_of(name, table["gpu"], AIC_COMM.name)]
    if found.empty:
        known = ", ".join(sorted(table["gpu"].unique()))
        raise InputError(
            f"{AIC_COMM.name} has no collectives of {name!r}, only of {known}; name one with --collectives-gpu, or "
            "leave the table out"
        )
    return found


def _newest(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["stack"] == sorted(table["stack"].unique(), key=_version)[-1]] if len(table) else table


def _version(stack: str) -> tuple[int, ...]:
    return tuple(int(part) for part in stack.split()[-1].split(".") if part.isdigit())


def _numbers(table: pd.DataFrame, gpus: int, name: str) -> Series:
    rows = table[table["num_gpus"] == gpus]
    if rows.empty:
        raise InputError(f"{AIC_COMM.name} has no {name} over {gpus} GPUs")
    return series(rows, "message_size")


def _named(table: pd.DataFrame) -> str:
    newest = _newest(table)
    return f"{newest['gpu'].iloc[0]}, {newest['stack'].iloc[0]}, {newest['kernel'].iloc[0]}"
