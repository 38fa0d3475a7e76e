"""Prompts before decodes in chunks of a token limit: what an instance that mostly prefills wants (ours)."""

from __future__ import annotations

from orsched.policy import Policy
from policies.parts.prefill_first import PromptsFirst, chunked
from policies.recipe import fixed


def prompts_first(max_batch_tokens: int = 2048, max_num_seqs: int = 256, most_pauses: int = 4) -> Policy:
    """Prompts first come first served, cut to a token limit; decodes in what is left of it.

    Parameters
    ----------
    max_batch_tokens : int
        Tokens of an iteration; vLLM v1's default, for comparison.
    max_num_seqs : int
        Most requests admitted at a time.
    most_pauses : int
        Iterations in a row that decodes which do not fit are left out; ours.

    Notes
    -----
    The mirror image of Sarathi-Serve's decodes first: first tokens come sooner, gaps between tokens are longer.
    """
    return Policy("prompts-first", PromptsFirst(max_batch_tokens, max_num_seqs, most_pauses, chunked))


RECIPES = (fixed(prompts_first, "ours: prompts first in chunks of 2048 tokens, decodes pause 4 iterations at most"),)
