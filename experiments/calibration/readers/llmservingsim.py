"""LLMServingSim's profile of vLLM: operators by tokens, attention of mixed batches, unequal contexts."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pandas as pd

from experiments.calibration.experts import expert_times
from experiments.calibration.formats import MIXED, OPERATORS, SKEW
from experiments.calibration.kernels import Kernels, Series, series
from experiments.calibration.profile import Profile
from experiments.calibration.readers.collectives import all_reduces, gather_and_scatter
from experiments.calibration.readers.required import require_operators
from experiments.calibration.readers.tables import Tables
from experiments.calibration.request import Wanted
from orsched.errors import InputError

_ONCE = ("embedding", "final_layernorm")
_TWICE_A_LAYER = ("layernorm",)
_QKV = (("qkv_proj",), ("q_proj", "k_proj", "v_proj"))
_UP = (("gate_up_proj",), ("gate_proj", "up_proj"))
_KNOWN = {"dense": ("act_fn", "rotary_emb", "qk_norm", "gate", *_ONCE, *_TWICE_A_LAYER), "per_sequence": ("sampler",)}


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
        tokens = tokens.plus(reduced)
    if wanted.ranks > 1:
        exchanged, said = gather_and_scatter(tables, wanted)
        tokens = tokens.plus(exchanged)
        notes.append(said)
    skew = _skew(tables, wanted)
    if SKEW in tables and skew is None:
        notes.append(f"{SKEW.name} has no decodes of this group: effect of unequal contexts not known, taken as none")
    kernels = Kernels(tokens, _sequences(operators), _attention(attention, wanted.shape.layers), skew)
    formats = tuple(known.name for known in (MIXED, OPERATORS, SKEW) if known in tables)
    group = (wanted.gpu, wanted.model, wanted.tensor_parallel)
    return Profile(*group, formats, kernels.iterations(), kernels, tuple(notes))


def _tokens(operators: pd.DataFrame, wanted: Wanted, notes: list[str]) -> Series:
    """Everything by tokens: layer norms run twice a layer, embedding and final norm once an iteration."""
    layers = wanted.shape.layers
    odd = sorted(set(operators["counted_in"]) - {"dense", "moe", "per_sequence"})
    if odd:
        raise InputError(f"{OPERATORS.name}: counted_in {', '.join(odd)}: must be dense, moe or per_sequence")
    dense = operators[operators["counted_in"] == "dense"]
    if dense.empty:
        raise InputError(f"{OPERATORS.name}: no operator counted in 'dense'")
    parts = []
    for name, curve in dense.groupby("operator"):
        times = 1 if name in _ONCE else 2 * layers if name in _TWICE_A_LAYER else layers
        parts.append(series(curve, "x", times=times))
    total = reduce(add, parts)
    experts = operators[operators["counted_in"] == "moe"]
    feed_forward = () if wanted.shape.experts else (_UP, (("down_proj",),))
    require_operators(OPERATORS.name, set(dense["operator"]), _KNOWN["dense"], (_QKV, (("o_proj",),), *feed_forward))
    require_operators(OPERATORS.name, set(experts["operator"]), ("moe",), ())
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
    require_operators(OPERATORS.name, set(per_sequence["operator"]), _KNOWN["per_sequence"], ((("lm_head",),),))
    return reduce(add, [series(curve, "x") for _, curve in per_sequence.groupby("operator")])


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
