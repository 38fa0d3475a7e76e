"""How close the affine bounds of rooflines come to their times."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from orsched.catalogue import Hardware
from orsched.composition import compose
from orsched.devices import ModelConfig, chip, chip_names, model_config, model_names
from orsched.errors import InputError
from orsched.service import Batch
from orsched.work import Floats

GROUPS = (1, 2, 4, 8)
"""Chips that share a model."""


def tightness(batches: int, seed: int = 0) -> dict[str, Floats]:
    """Best bound over time, for dense models on all chips and groups that hold them.

    Parameters
    ----------
    batches : int
        Random batches for each model, chip and group: up to 256 decodes of 64 to 4,096 tokens of context, as many as
        the KV memory holds, with or without a prompt of 64 to 8,192 tokens, that has a past of 2,048 tokens or none.
    seed : int
        Of the generator.

    Returns
    -------
    dict of str to ndarray
        Shares in (0, 1] of batches of decodes, of a prompt, and of both, in the order drawn.
    """
    draw = random.Random(seed)
    found: dict[str, list[float]] = {"decode": [], "prefill": [], "mixed": []}
    for entry in _dense():
        minorants = entry.service.affine_minorants()
        for _ in range(batches):
            batch = _batch(draw, entry.kv_capacity_tokens)
            bound = max(
                m.base_s
                + m.prompt_token_s * batch.prompt_tokens
                + m.sequence_s * batch.num_seqs
                + m.kv_token_s * batch.kv_tokens
                + m.chunk_attention_s * batch.chunk_attention
                for m in minorants
            )
            kind = "decode" if not batch.prompt_tokens else "mixed" if batch.num_seqs else "prefill"
            found[kind].append(bound / entry.service.iteration_s(batch))
    return {kind: np.array(shares) for kind, shares in found.items()}


def _dense() -> Iterator[Hardware]:
    models: list[ModelConfig] = [model for model in map(model_config, model_names()) if not model.experts]
    for model in models:
        for device in map(chip, chip_names()):
            for gpus in GROUPS:
                try:
                    yield compose(model, device, gpus)
                except InputError:
                    continue


def _batch(draw: random.Random, kv_tokens: int) -> Batch:
    while True:
        seqs = draw.choice((0, 1, 4, 8, 16, 32, 64, 128, 256))
        prompt = draw.choice((0, 0, 64, 256, 512, 1024, 2048, 8192))
        past = draw.choice((0, 0, 2048)) if prompt else 0
        kv = min(seqs * draw.choice((64, 256, 1024, 4096)), kv_tokens)
        if seqs or prompt:
            return Batch(prompt, prompt * (past + prompt / 2), past, seqs, kv)
