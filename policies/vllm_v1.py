"""vLLM v1 (``vllm/v1/core/sched/scheduler.py``): one token budget, running first, chunks allocated as they come."""

from __future__ import annotations

from orsched.policy import Policy
from policies.parts.token_budget import TokenBudget
from policies.recipe import fixed


def vllm_v1(max_num_batched_tokens: int = 2048, max_num_seqs: int = 256) -> Policy:
    """The first-come-first-served scheduler of vLLM v1.

    Parameters
    ----------
    max_num_batched_tokens, max_num_seqs : int
        The API server's defaults on GPUs below 70 GiB and on the A100 ("v1-small"): 2048 tokens, 256 requests.

    Notes
    -----
    Waiting requests are admitted only in a step that preempted nobody. Prefix caching is not modelled here.
    """
    return Policy("vllm-v1", TokenBudget(max_num_batched_tokens, max_num_seqs))


RECIPES = (fixed(vllm_v1, "vLLM v1 (small): one budget of 2048 tokens, running first, 256 requests, preempt last"),)
