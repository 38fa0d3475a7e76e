"""The two oldest entries: Llama-2-7B and Llama-3-8B on one A100, from three projects' measurements."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from experiments.calibration.profile_frame import profile_frame

LAYERS = 32
"""Decoder layers of Llama-2-7B and of Llama-3(.1)-8B."""

_HEAD_OUTPUTS_MEASURED = 65_536


def read_profile(file_name: str) -> pd.DataFrame:
    """Read one bundled table from `orsched/data/profiles`."""
    with (resources.files("orsched") / "data" / "profiles" / file_name).open("rb") as stream:
        return pd.read_parquet(stream)


def muxserve_llama_7b() -> pd.DataFrame:
    """LLaMA-7B on one whole A100 80 GB: measured prefill and decode iterations.

    A prefill takes all ``batch_size`` prompts of ``seq_tokens``; a decode iteration emits one
    token for each of ``batch_size`` requests with ``seq_tokens`` cached.
    """
    table = read_profile("muxserve_llama-7b_a100-80g.parquet")
    batch, length = table["batch_size"].to_numpy(np.int64), table["seq_tokens"].to_numpy(np.int64)
    prefill = profile_frame(
        prompt_tokens=batch * length,
        chunk_attention=batch * length**2 / 2,
        time_s=table["prefill_time_s"],
        group=batch,
    )
    decode = profile_frame(num_seqs=batch, kv_tokens=batch * length, time_s=table["decode_time_s"], group=batch)
    return pd.concat([decode, prefill], ignore_index=True)


def a100_operator_sums(model: str, num_kv_heads: int, vocabulary: int, max_num_seqs: int) -> pd.DataFrame:
    """Llama on an A100: operators of one layer and attention kernels, added up to iterations.

    Parameters
    ----------
    model : str
        ``Llama-2-7b-hf`` or ``Meta-Llama-3-8B``.
    num_kv_heads : int
        8, or 32 (prefill only: no decode kernel was measured).
    vocabulary : int
        Outputs of the head; its time is that of a 65,536-wide product scaled by the width.
    max_num_seqs : int
        Largest batch kept.
    """
    kernel = read_profile("aiconfigurator_attention_a100.parquet")
    kernel = kernel[(kernel["num_kv_heads"] == num_kv_heads) & (kernel["batch_size"] <= max_num_seqs)]
    linear = read_profile("vidur_linear_a100.parquet")
    linear = linear[linear["model"] == model]
    batch, new = kernel["batch_size"].to_numpy(np.int64), kernel["new_tokens_per_seq"].to_numpy(np.int64)
    decode = (kernel["phase"] == "decode").to_numpy()
    tokens = batch * new
    frame = profile_frame(
        prompt_tokens=np.where(decode, 0, tokens),
        chunk_attention=np.where(decode, 0.0, batch * new**2 / 2),
        num_seqs=np.where(decode, batch, 0),
        kv_tokens=np.where(decode, batch * kernel["past_kv_tokens_per_seq"].to_numpy(np.int64), 0),
        time_s=LAYERS * (kernel["time_s"] + _interpolate(tokens, linear, "tokens", "layer_nonattention_s"))
        + _interpolate(tokens, linear, "tokens", "emb_s")
        + head_s(batch, vocabulary),
        group=batch,
    )
    return frame[tokens <= linear["tokens"].max()].reset_index(drop=True)


def head_s(num_seqs: ArrayLike, vocabulary: int) -> NDArray[np.float64]:
    """Time of the output head on an A100 (seconds), scaled from the widest product measured."""
    gemm = read_profile("aiconfigurator_gemm_65536x4096_a100.parquet")
    return _interpolate(num_seqs, gemm, "tokens", "time_s") * (vocabulary / _HEAD_OUTPUTS_MEASURED)


def a100_prefill_kernels(num_kv_heads: int, min_prompt_tokens: int) -> pd.DataFrame:
    """Prefill attention kernels of all layers on an A100, prompts of at least `min_prompt_tokens`."""
    kernel = read_profile("aiconfigurator_attention_a100.parquet")
    kernel = kernel[
        (kernel["phase"] == "prefill")
        & (kernel["num_kv_heads"] == num_kv_heads)
        & (kernel["new_tokens_per_seq"] >= min_prompt_tokens)
    ]
    batch, new = kernel["batch_size"].to_numpy(np.int64), kernel["new_tokens_per_seq"].to_numpy(np.int64)
    return profile_frame(
        prompt_tokens=batch * new,
        chunk_attention=batch * new**2 / 2,
        time_s=LAYERS * kernel["time_s"],
        group=batch,
    )


def _interpolate(at: ArrayLike, table: pd.DataFrame, x: str, y: str) -> NDArray[np.float64]:
    """Interpolate column `y` over column `x` linearly; constant beyond the ends."""
    order = table.sort_values(x)
    known = order[[x, y]].to_numpy(np.float64)
    return np.asarray(np.interp(np.asarray(at, np.float64), known[:, 0], known[:, 1]), np.float64)
