"""KV memory of an instance, from the memory of its GPUs and the shape of its model."""

from __future__ import annotations

import math

import pandas as pd

from orsched.devices import ModelConfig
from orsched.errors import InputError

MEMORY_SHARE = 0.9
"""Share of the memory that the engine may use (vLLM's default `gpu_memory_utilization` at the time of the profiles)."""


def kv_capacity(
    shape: ModelConfig, memory_bytes: float, gpus: int, block_tokens: int, ranks: int = 1
) -> tuple[int, str]:
    """Return the KV tokens that fit an instance, and how that was derived.

    Parameters
    ----------
    shape : ModelConfig
        The model.
    memory_bytes : float
        Memory of one GPU.
    gpus : int
        Tensor-parallel degree.
    block_tokens : int
        Tokens of a block.
    ranks : int
        Data-parallel ranks, each with all weights but those of the other ranks' experts.

    Raises
    ------
    InputError
        When the weights do not fit.
    """
    experts = shape.expert_layers * shape.experts * shape.expert_params * shape.dtype_bytes
    weights = (shape.weight_bytes - experts + experts / ranks) / gpus
    per_token = shape.kv_bytes_per_token_on(gpus)
    left = MEMORY_SHARE * memory_bytes - weights
    blocks = int(left // (per_token * block_tokens))
    if blocks < 1:
        raise InputError(
            f"{shape.name}: {weights / 1e9:.1f} GB of weights on each GPU leave no KV memory of its "
            f"{memory_bytes / 1e9:.0f} GB; give --kv-capacity-tokens, or more GPUs"
        )
    used = f"{MEMORY_SHARE} x {memory_bytes / 1e9:g}e9 B - {weights / 1e9:.2f}e9 B of weights"
    where = f" on each of {gpus} GPUs" if gpus > 1 else ""
    more = f", on each of {ranks} ranks" if ranks > 1 else ""
    text = (
        f"derived, not recorded: ({used}) / {per_token:,.0f} B per token{where}{more}, in whole blocks of "
        f"{block_tokens}; ignores activations and the CUDA context"
    )
    return blocks * block_tokens * ranks, text


def held_tokens(iterations: pd.DataFrame) -> pd.Series:
    """KV tokens that each timed iteration needs, with the one that each decode adds."""
    return iterations[["past_tokens", "prompt_tokens", "kv_tokens", "num_seqs"]].sum(axis=1)


def at_least_measured(capacity: int, why: str, iterations: pd.DataFrame, block_tokens: int) -> tuple[int, str]:
    """Raise a derived capacity to the largest batch that was run whole, and say so."""
    held = math.ceil(float(held_tokens(iterations).max()) / block_tokens) * block_tokens
    if held <= capacity:
        return capacity, why
    return held, f"the largest batch that was measured; more than the {capacity:,} that follow from: {why}"
