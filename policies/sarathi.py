"""Sarathi-Serve (arXiv 2403.02310): decodes first, prompts in chunks that fill a fixed token budget."""

from __future__ import annotations

from orsched.policy import Policy
from policies.parts.token_budget import TokenBudget
from policies.recipe import fixed


def sarathi(chunk_tokens: int = 512, max_num_seqs: int = 128, watermark: float = 0.01) -> Policy:
    """Sarathi-Serve with its repository's defaults.

    Parameters
    ----------
    chunk_tokens : int
        Tokens per iteration, decodes included; 512 is the strict setting of the paper and the repository default.
    max_num_seqs : int
        Most running requests.
    watermark : float
        Share of KV blocks kept free at admission.

    Notes
    -----
    KV memory of the whole prompt is set aside at admission, so that later chunks never wait for memory. The step that
    preempts admits nobody; the repository may admit in the same step.
    """
    batcher = TokenBudget(chunk_tokens, max_num_seqs, reserve_prompt=True, watermark=watermark)
    return Policy("sarathi", batcher)


RECIPES = (fixed(sarathi, "Sarathi-Serve: chunks of 512 tokens, 128 requests, watermark 1%, preempt last"),)
