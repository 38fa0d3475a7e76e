"""LLMServingSim's profile of vLLM: operators by tokens, attention of mixed batches, unequal contexts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from experiments.calibration.experts import expert_times
from experiments.calibration.formats import MIXED, OPERATORS, SKEW
from experiments.calibration.kernels import Kernels, Series, series
from experiments.calibration.profile import Profile
from experiments.calibration.readers.collectives import all_reduces, gather_and_scatter
from experiments.calibration.readers.tables import Tables
from experiments.calibration.request import Wanted
from orsched.errors import InputError

_ONCE = ("embedding", "final_layernorm")
_TWICE_A_LAYER = ("layernorm",)


def read(tables: Tables, wanted: Wanted) -> Profile:
    """Read the group from an attention table and its operators.

    Raises
    ------
    InputError
        When a table or the group is missing.
    """
    operators = wanted.require_rows(tables.one(OPERATORS, " beside the attention of mixed batches"), OPERATORS.name)
    attention = wanted.require_rows(tables.one(MIXED), MIXED.name)
    notes = list(tables.notices)
    tokens = _tokens(operators, wanted, notes)
    reduced, said = all_reduces(tables, wanted)
    if said:
        notes.append(said)
    if reduced is not None:
        tokens = _within(tokens, tokens + reduced)
    if wanted.ranks > 1:
        exchanged, said = gather_and_scatter(tables, wanted)
        tokens = _within(tokens, tokens + exchanged)
        notes.append(said)
    kernels = Kernels(tokens, _sequences(operators), _attention(attention, wanted.shape.layers), _skew(tables, wanted))
    formats = tuple(known.name for known in (MIXED, OPERATORS, SKEW) if known in tables)
    group = (wanted.gpu, wanted.model, wanted.tensor_parallel)
    return Profile(*group, formats, kernels.iterations(), kernels, tuple(notes))


def _within(known: Series, total: Series) -> Series:
    keep = (total.at >= known.at[0]) & (total.at <= known.at[-1])
    return Series(total.at[keep], total.values[keep])


def _tokens(operators: pd.DataFrame, wanted: Wanted, notes: list[str]) -> Series:
    """Everything by tokens: layer norms run twice a layer, embedding and final norm once an iteration."""
    layers = wanted.shape.layers
    dense = operators[operators["counted_in"] == "dense"]
    if dense.empty:
        raise InputError(f"{OPERATORS.name}: no operator counted in 'dense'")
    total: Series | None = None
    for name, curve in dense.groupby("operator"):
        times = 1 if name in _ONCE else 2 * layers if name in _TWICE_A_LAYER else layers
        part = series(curve, "x", times=times)
        total = part if total is None else total + part
    assert total is not None
    experts = operators[operators["counted_in"] == "moe"]
    if wanted.shape.experts and experts.empty:
        raise InputError(f"{OPERATORS.name}: {wanted.shape.name} has experts, but no operator is counted in 'moe'")
    if not experts.empty:
        one = expert_times(experts, wanted.shape, wanted.ranks)
        total = total + replace(one, values=wanted.shape.expert_layers * one.values)
        notes.append("activated experts: expected number under uniform independent routing")
    return total


def _sequences(operators: pd.DataFrame) -> Series:
    per_sequence = operators[operators["counted_in"] == "per_sequence"]
    if per_sequence.empty:
        raise InputError(f"{OPERATORS.name}: no operator counted in 'per_sequence' (output head, sampler)")
    parts = [series(curve, "x") for _, curve in per_sequence.groupby("operator")]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _attention(table: pd.DataFrame, layers: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "chunk_tokens": table["prefill_tokens"],
            "chunks": (table["prefill_tokens"] > 0).astype(np.int64),
            "past_tokens": table["prefill_past_kv_tokens"],
            "num_seqs": table["decode_requests"],
            "context_tokens": table["kv_tokens_per_decode"],
            "time_s": layers * table["time_s"],
        }
    )


def _skew(tables: Tables, wanted: Wanted) -> pd.DataFrame | None:
    if SKEW not in tables:
        return None
    rows = wanted.rows(tables.one(SKEW)).query("prefill_tokens == 0")
    if rows.empty:
        return None
    layers = wanted.shape.layers
    return pd.DataFrame(
        {
            "num_seqs": rows["decode_requests"],
            "kv_mean": rows["kv_mean"],
            "kv_long": rows["kv_long"],
            "mean_s": layers * rows["time_all_mean_kv_s"],
            "long_s": layers * rows["time_all_long_kv_s"],
            "unequal_s": layers * rows["time_mixed_s"],
        }
    )
