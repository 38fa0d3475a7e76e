"""SPAD's two chips (arXiv 2510.08544): what the abstract claims, and what our roofline makes of it."""

from __future__ import annotations

from dataclasses import replace

from orsched.devices import Chip, ModelConfig
from orsched.errors import InputError
from orsched.service import Batch
from orsched.service.roofline import Roofline

DECODE_PERFORMANCE = 0.97
"""Decode performance of the Decode Chip, the modelled H100's being 1 (abstract)."""

DECODE_MODEL, DECODE_SEQS, DECODE_CONTEXT = "llama3-8b", 128, 1024
"""Where the Decode Chip of the catalogue has that performance: our choice, none is published in what we have."""


def decode_flops(
    reference: Chip,
    model: ModelConfig,
    num_seqs: int,
    context_tokens: int,
    performance: float = DECODE_PERFORMANCE,
) -> float:
    """Peak 16-bit FLOP/s with which a chip like `reference` decodes at `performance` times its speed.

    Everything else - bandwidth, memory, links, efficiencies, dispatch - stays as in `reference`.

    Parameters
    ----------
    reference : Chip
        The H100.
    model : ModelConfig
        What decodes, on one chip.
    num_seqs, context_tokens : int
        The batch, and the context of each request.
    performance : float
        Decodes per second over those of `reference`, in (0, 1).

    Raises
    ------
    InputError
        When no FLOP/s between a ten-thousandth of the reference's and its own do.
    """
    from scipy.optimize import brentq

    batch = Batch(num_seqs=num_seqs, kv_tokens=num_seqs * context_tokens)
    target_s = Roofline(reference, model).iteration_s(batch) / performance

    def late_s(share: float) -> float:
        slower = replace(reference, fp16_flops=share * reference.fp16_flops)
        return Roofline(slower, model).iteration_s(batch) - target_s

    if not late_s(1e-4) > 0 > late_s(1.0):
        raise InputError(f"performance = {performance}: no peak FLOP/s below that of {reference.name} gives it")
    return float(brentq(late_s, 1e-4, 1.0, xtol=1e-12)) * reference.fp16_flops


def prefill_ratio(chip: Chip, reference: Chip, model: ModelConfig, prompt_tokens: int, gpus: int = 1) -> float:
    """Prefills per second of one prompt on `chip` over those on `reference`, `gpus` of each."""
    batch = Batch(prompt_tokens, prompt_tokens**2 / 2)
    return Roofline(reference, model, gpus).iteration_s(batch) / Roofline(chip, model, gpus).iteration_s(batch)
