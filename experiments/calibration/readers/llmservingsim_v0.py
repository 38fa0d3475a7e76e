"""The older LLMServingSim profile: operators by tokens, attention of prompts and of decodes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.calibration.formats import V0_ATTENTION, V0_LAYERS
from experiments.calibration.kernels import Kernels, Series, series
from experiments.calibration.peaks import peaks_of
from experiments.calibration.profile import Profile
from experiments.calibration.readers.additive import ADDITIVE, attention_rows
from experiments.calibration.readers.collectives import all_reduces
from experiments.calibration.readers.required import require_operators
from experiments.calibration.readers.tables import Tables
from experiments.calibration.request import Wanted
from orsched.errors import InputError

_ONCE = ("embedding", "final_layernorm")
_HEAD = "lm_head"
_CAUSAL = "attn"
_EXPERT = "expert."
_KEYS = (
    "past tokens in this profile are all keys: those of the whole batch for decodes, those of the chunk too for "
    "prompts (so its profiler, flash_attn_varlen_func with kv_len // batch_size keys each); its kernel does not split "
    "long contexts over the GPU, which makes few long decodes slow"
)
_FULL = (
    "prompts in the attention table attend to all of their keys, not causally: its profiler passes the causal flag "
    "where flash_attn_varlen_func takes the softmax scale; up to twice the work of causal attention"
)
_PER_SEQUENCE = ("tpu",)
_FUSED = ("k_proj", "v_proj")
_OTHERS = ("rope", "input_layernorm", "post_layernorm")
_KNOWN = ("act_fn", "gate", *_ONCE, *_FUSED, *_OTHERS, _HEAD, _CAUSAL)


def read(tables: Tables, wanted: Wanted) -> Profile:
    """Read the group from an attention table and its layers.

    Raises
    ------
    InputError
        When a table, the group or the output head is missing.
    """
    layers = wanted.require_rows(tables.one(V0_LAYERS, " beside the attention"), V0_LAYERS.name)
    table = wanted.require_rows(tables.one(V0_ATTENTION), V0_ATTENTION.name)
    notes = [*tables.notices, ADDITIVE, "no sampler in the profile"]
    head = layers[layers["operator"] == _HEAD]
    if head.empty:
        raise InputError(f"{V0_LAYERS.name}: no operator {_HEAD!r}")
    tokens = _tokens(layers, wanted, notes)
    reduced, said = all_reduces(tables, wanted)
    if said:
        notes.append(said)
    if reduced is not None:
        tokens = tokens.plus(reduced)
    causal = layers[layers["operator"] == _CAUSAL].rename(columns={"tokens": "new_tokens_per_seq"})
    kernels = Kernels(tokens, series(head, "tokens"), _attention(table, causal, wanted, notes))
    group = (wanted.gpu, wanted.model, wanted.tensor_parallel)
    return Profile(*group, (V0_ATTENTION.name, V0_LAYERS.name), kernels.iterations(), kernels, tuple(notes))


def _tokens(layers: pd.DataFrame, wanted: Wanted, notes: list[str]) -> Series:
    require_operators(V0_LAYERS.name, set(layers["operator"]), _KNOWN, _feed_forward(wanted))
    fused = [name for name in _FUSED if name not in set(layers["operator"])]
    if len(fused) == 1:
        raise InputError(f"{V0_LAYERS.name}: operator {fused[0]!r} is missing")
    total: Series | None = None
    for name, curve in layers.groupby("operator"):
        if name in (_HEAD, _CAUSAL):
            continue
        if str(name).startswith(_EXPERT):
            part = _experts(curve, wanted)
        else:
            part = series(curve, "tokens", times=1 if name in _ONCE else wanted.shape.layers)
        if part.at[0] > 1 or len(part.at) == 1:
            part = Series(np.array([1.0, part.at[0] - 1, *part.at]), np.array([0.0, 0.0, *part.values]))
            if len(curve) > 1:
                notes.append(f"operator {name} not timed below {curve['tokens'].min():g} tokens: taken as fused there")
        total = part if total is None else total + part
    if total is None:
        raise InputError(f"{V0_LAYERS.name}: no operator by tokens")
    missing = [name for name in (*_FUSED, *_OTHERS) if name not in set(layers["operator"])]
    if missing:
        notes.append(f"operators {', '.join(missing)} not timed separately: taken as fused into others")
    if any(str(name).startswith(_EXPERT) for name in layers["operator"].unique()):
        notes.append(
            "experts: every activated one (expected number, uniform routing) runs its share of the tokens in turn"
        )
    return total


def _experts(curve: pd.DataFrame, wanted: Wanted) -> Series:
    """Times of one expert's matrix turned into those of all activated experts of all layers, one after another."""
    from experiments.calibration.experts import activated_experts

    shape = wanted.shape
    if not shape.experts:
        raise InputError(f"the profile times experts, but {shape.name} has none")
    one = series(curve, "tokens")
    at = one.at
    awake = activated_experts(shape, at, shape.experts)
    each = np.maximum(1.0, at * shape.active_experts / awake)
    return Series(at, shape.expert_layers * awake * one(each))


def _feed_forward(wanted: Wanted) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """Operators without which weights are not read: for each, the sets of names that stand for it."""
    if wanted.shape.experts:
        return (("q_proj",),), (("o_proj",),), ((f"{_EXPERT}w1", f"{_EXPERT}w2", f"{_EXPERT}w3"),)
    return (("q_proj",),), (("o_proj",),), (("gate_proj", "up_proj"), ("gate_up_proj",)), (("down_proj",),)


def _attention(table: pd.DataFrame, causal: pd.DataFrame, wanted: Wanted, notes: list[str]) -> pd.DataFrame:
    prefill, decode = table[table["phase"] == "prefill"], table[table["phase"] == "decode"]
    if _keys_of_the_batch(prefill, wanted.gpu):
        notes.extend((_KEYS, _FULL))
        each = decode.assign(past_kv_tokens_per_seq=decode["past_kv_tokens_per_seq"] // decode["batch_size"])
        counts = ["batch_size", "new_tokens_per_seq", "past_kv_tokens_per_seq"]
        decode = each[each["past_kv_tokens_per_seq"] > 0].groupby(counts, as_index=False)["time_s"].median()
        past = prefill["past_kv_tokens_per_seq"] - prefill["new_tokens_per_seq"]
        first = causal.assign(past_kv_tokens_per_seq=0.0, batch_size=1.0)
        measured = prefill.assign(past_kv_tokens_per_seq=past)
        longer = first[first["new_tokens_per_seq"] > measured["new_tokens_per_seq"].max()]
        prefill = pd.concat([measured, longer], ignore_index=True)
    return attention_rows(prefill, decode, wanted.shape.layers)


def _keys_of_the_batch(prefill: pd.DataFrame, gpu: str) -> bool:
    """Whether past tokens are all keys of a batch, by the convention of the source: on GPUs they are, on TPUs not.

    The rows cannot tell: a subset of a TPU's looks like a GPU's.

    Raises
    ------
    InputError
        When the device is neither a TPU nor a GPU that is known, or the rows contradict the convention.
    """
    if gpu.lower().startswith(_PER_SEQUENCE):
        return False
    try:
        peaks_of(gpu)
    except InputError:
        raise InputError(
            f"{V0_ATTENTION.name}: whether past tokens are keys of the whole batch (as on the source's GPUs) or cached "
            f"tokens of each sequence (as on its TPU) cannot be told for {gpu!r}, which is not known"
        ) from None
    if (prefill["past_kv_tokens_per_seq"] < prefill["new_tokens_per_seq"]).any():
        raise InputError(
            f"{V0_ATTENTION.name}: prompts of {gpu} with fewer keys than tokens: past tokens on GPUs are all keys in "
            "this format"
        )
    return True
