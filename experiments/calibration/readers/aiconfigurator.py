"""aiconfigurator's kernels: attention by batch and length, matrix products by shape."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.calibration.formats import AIC_ATTENTION, AIC_GEMM
from experiments.calibration.kernels import Kernels, Series
from experiments.calibration.profile import Profile
from experiments.calibration.readers.additive import ADDITIVE, attention_rows
from experiments.calibration.readers.collectives import all_reduces
from experiments.calibration.readers.tables import Tables
from experiments.calibration.request import Wanted
from orsched.errors import InputError

MISSING = "norms, rotary embedding, activations, embedding and sampler are not in the profile: times are too short"
_DTYPE = "bfloat16"


def read(tables: Tables, wanted: Wanted) -> Profile:
    """Build the group from attention kernels and matrix products in bfloat16.

    Raises
    ------
    InputError
        When a table is missing, the model has experts, or its heads were not timed.
    """
    if wanted.shape.experts or wanted.shape.latent is not None:
        raise InputError(f"{AIC_GEMM.name}: {wanted.shape.name} is no dense model with plain attention")
    gemm = wanted.require_rows(tables.one(AIC_GEMM, " beside the attention"), AIC_GEMM.name)
    attention = aic_attention(tables, wanted)
    tokens, sequences = products(gemm, wanted)
    notes = [*tables.notices, ADDITIVE, MISSING]
    reduced, said = all_reduces(tables, wanted)
    if said:
        notes.append(said)
    if reduced is not None:
        tokens = tokens.plus(reduced)
    kernels = Kernels(tokens, sequences, attention)
    group = (wanted.gpu, wanted.model, wanted.tensor_parallel)
    return Profile(*group, (AIC_ATTENTION.name, AIC_GEMM.name), kernels.iterations(), kernels, tuple(notes))


def aic_attention(tables: Tables, wanted: Wanted) -> pd.DataFrame:
    """Attention of the group's heads on one GPU, as `Kernels` holds it.

    Raises
    ------
    InputError
        When these heads were not timed.
    """
    table = wanted.require_rows(tables.one(AIC_ATTENTION, " for the attention"), AIC_ATTENTION.name)
    shape, gpus = wanted.shape, wanted.tensor_parallel
    heads, kv_heads = shape.q_heads // gpus, max(1, shape.kv_heads // gpus)
    plain = table.query("attn_dtype == @_DTYPE and kv_dtype == @_DTYPE", local_dict={"_DTYPE": _DTYPE})
    rows = plain[
        (plain["num_heads"] == heads) & (plain["num_kv_heads"] == kv_heads) & (plain["head_dim"] == shape.head_dim)
    ]
    prefill, decode = rows[rows["phase"] == "prefill"], rows[rows["phase"] == "decode"]
    if prefill.empty or decode.empty:
        phase = "prefill" if prefill.empty else "decode"
        raise InputError(
            f"{AIC_ATTENTION.name}: no {phase} in {_DTYPE} of {heads} query and {kv_heads} KV heads of size "
            f"{shape.head_dim} ({wanted.model}, tensor parallel {gpus})"
        )
    return attention_rows(prefill[prefill["new_tokens_per_seq"] > 1], decode, shape.layers)


def products(gemm: pd.DataFrame, wanted: Wanted) -> tuple[Series, Series]:
    """Time of the matrix products of all layers by tokens, and of the output head by sequences."""
    shape, gpus = wanted.shape, wanted.tensor_parallel
    table = gemm[gemm["dtype"] == _DTYPE]
    if table.empty:
        raise InputError(f"{AIC_GEMM.name}: no products in {_DTYPE}")
    heads, kv_heads = shape.q_heads // gpus, max(1, shape.kv_heads // gpus)
    wide = (heads + 2 * kv_heads) * shape.head_dim
    layer = (
        (wide, shape.hidden),
        (shape.hidden, heads * shape.head_dim),
        ((shape.ffn_matrices - 1) * shape.ffn // gpus, shape.hidden),
        (shape.hidden, shape.ffn // gpus),
    )
    at = _counts(table)
    per_layer = sum((_product(table, at, n, k) for n, k in layer), np.zeros(at.size))
    head = output_head(table, shape.vocab // gpus, shape.hidden)
    return Series(at, shape.layers * per_layer), head


def output_head(table: pd.DataFrame, outputs: int, inputs: int) -> Series:
    """Time of the output head by sequences."""
    at = _counts(table)
    return Series(at, _product(table, at, outputs, inputs))


def _counts(table: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Token counts at which every shape was timed: those of the most frequent shape."""
    shapes = table.groupby(["out_features_n", "in_features_k"]).size()
    n, k = shapes.idxmax()
    rows = table[(table["out_features_n"] == n) & (table["in_features_k"] == k)]
    return np.sort(rows["tokens_m"].to_numpy(np.float64))


def _product(
    table: pd.DataFrame, at: np.ndarray[tuple[int], np.dtype[np.float64]], outputs: int, inputs: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Time of ``at x inputs`` by ``inputs x outputs``, linear in both widths between those timed.

    A product is bound by ``m n k`` or by reading ``n k``, which is linear in each width. Beyond the widest, time is
    proportional to the width.
    """
    times = []
    for k, weight_k in _between(table["in_features_k"], inputs):
        rows_k = table[table["in_features_k"] == k]
        for n, weight_n in _between(rows_k["out_features_n"], outputs):
            rows = rows_k[rows_k["out_features_n"] == n].sort_values("tokens_m")
            known = rows[["tokens_m", "time_s"]].to_numpy(np.float64)
            times.append(weight_k * weight_n * np.interp(at, known[:, 0], known[:, 1]))
    return np.asarray(np.sum(times, axis=0), np.float64)


def _between(widths: pd.Series, wanted: int) -> list[tuple[float, float]]:
    """Widths timed around the wanted one, with weights; one of them alone at a known width or beyond the widest."""
    known = np.unique(widths.to_numpy(np.float64))
    if wanted >= known[-1]:
        return [(known[-1], wanted / known[-1])]
    if wanted <= known[0]:
        return [(known[0], 1.0)]
    above = int(np.searchsorted(known, wanted))
    if known[above] == wanted:
        return [(known[above], 1.0)]
    low, high = known[above - 1], known[above]
    share = (wanted - low) / (high - low)
    return [(low, 1.0 - share), (high, share)]
