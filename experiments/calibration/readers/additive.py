"""Attention timed separately for prompts and for decodes."""

from __future__ import annotations

import pandas as pd

ADDITIVE = "attention of prompts and of decodes was timed apart: an iteration with both is taken as their sum"


def attention_rows(prefill: pd.DataFrame, decode: pd.DataFrame, layers: int) -> pd.DataFrame:
    """Return the attention of `Kernels` from ``batch_size, new_tokens_per_seq, past_kv_tokens_per_seq, time_s``.

    `time_s` is of one layer; the result of all `layers`.
    """
    prompts = pd.DataFrame(
        {
            "chunk_tokens": prefill["new_tokens_per_seq"],
            "chunks": prefill["batch_size"],
            "past_tokens": prefill["past_kv_tokens_per_seq"],
            "num_seqs": 0.0,
            "context_tokens": 0.0,
            "time_s": layers * prefill["time_s"],
        }
    )
    decodes = pd.DataFrame(
        {
            "chunk_tokens": 0.0,
            "chunks": 0.0,
            "past_tokens": 0.0,
            "num_seqs": decode["batch_size"],
            "context_tokens": decode["past_kv_tokens_per_seq"],
            "time_s": layers * decode["time_s"],
        }
    )
    return pd.concat([prompts, decodes], ignore_index=True)
