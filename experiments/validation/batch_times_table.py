"""The measured batch times: one table of two sources, and the batches they timed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from types import MappingProxyType

import pandas as pd

from orsched.service import Batch

CHIPS = MappingProxyType({"a100-80gb": "a100-80g", "h100-80gb": "h100-sxm"})
"""Chip of the catalogue for a GPU of the sources."""

MODELS = MappingProxyType({"llama-7b": "llama2-7b", "llama-13b": "llama2-13b", "llama-65b": "llama-65b"})
"""Model of the catalogue for a model of MuxServe; LLaMA and Llama-2 of 7B and 13B have the same shapes."""


def batch_times() -> pd.DataFrame:
    """Read the bundled batch times (see ``orsched/data/validation/README.md``).

    Returns
    -------
    DataFrame
        Columns ``source``, ``gpu``, ``model``, ``tensor_parallel``, ``sm_percent``, ``batch_size``, ``input_tokens``,
        ``kv_tokens`` (read by a decode iteration of the batch), ``prompt_s`` and ``token_s``.
    """
    splitwise = _read("batch_times_splitwise.parquet").assign(source="splitwise", sm_percent=100)
    splitwise["gpu"] = splitwise["gpu"].map(CHIPS)
    context = splitwise["input_tokens"] + splitwise["output_tokens"] / 2
    splitwise["kv_tokens"] = splitwise["batch_size"] * context
    muxserve = _read("batch_times_muxserve.parquet").assign(source="muxserve", gpu="a100-80g")
    muxserve["model"] = muxserve["model"].map(MODELS)
    muxserve = muxserve.rename(columns={"num_gpus": "tensor_parallel", "seq_tokens": "input_tokens"})
    muxserve["kv_tokens"] = muxserve["batch_size"] * muxserve["input_tokens"]
    names = {"prompt_time_s": "prompt_s", "token_time_s": "token_s"}
    names |= {"prefill_time_s": "prompt_s", "decode_time_s": "token_s"}
    both = pd.concat([splitwise.rename(columns=names), muxserve.rename(columns=names)], ignore_index=True)
    return both[[*_LABELS, "batch_size", "input_tokens", "kv_tokens", "prompt_s", "token_s"]]


_LABELS = ("source", "gpu", "model", "tensor_parallel", "sm_percent")


def batches(points: pd.DataFrame) -> Iterator[tuple[Batch, Batch]]:
    """Yield the prompt batch and the decode batch of each row of `batch_times`."""
    for row in points.itertuples():
        tokens = row.batch_size * row.input_tokens
        yield (
            Batch(prompt_tokens=tokens, chunk_attention=tokens * row.input_tokens / 2),
            Batch(num_seqs=row.batch_size, kv_tokens=row.kv_tokens),
        )


def _read(name: str) -> pd.DataFrame:
    with (resources.files("orsched") / "data" / "validation" / name).open("rb") as stream:
        return pd.read_parquet(stream)
