"""Predicted seconds that prompts take on an instance, from its service model."""

from __future__ import annotations

from orsched.service import Batch, ServiceModel


def prompt_s(service: ServiceModel, tokens: int, past_tokens: int, chunk_tokens: int) -> float:
    """Seconds for `tokens` prompt tokens of one request after `past_tokens` cached ones, alone and in chunks.

    Parameters
    ----------
    service : ServiceModel
        The instance's.
    tokens : int
        Tokens to process, >= 0.
    past_tokens : int
        Tokens of the prompt that are cached.
    chunk_tokens : int
        Most tokens of an iteration, >= 1.
    """
    seconds, end = 0.0, past_tokens + tokens
    for past in range(past_tokens, end, chunk_tokens):
        chunk = min(chunk_tokens, end - past)
        seconds += service.iteration_s(Batch(chunk, chunk * (past + 0.5 * chunk), past))
    return seconds


def backlog_s(service: ServiceModel, tokens: int, chunk_tokens: int, num_seqs: int = 0, kv_tokens: int = 0) -> float:
    """Seconds for `tokens` prompt tokens of any requests in full chunks, beside `num_seqs` decodes of `kv_tokens`.

    What attention to tokens of earlier chunks takes is left out: who they belong to is not known here.

    Parameters
    ----------
    service : ServiceModel
        The instance's.
    tokens : int
        Tokens to process, >= 0.
    chunk_tokens : int
        Most prompt tokens of an iteration, >= 1.
    num_seqs, kv_tokens : int
        Requests that decode in the same iterations, and the KV tokens that they read.
    """
    full, rest = divmod(tokens, chunk_tokens)
    seconds = 0.0
    for chunk, times in ((chunk_tokens, full), (rest, 1)):
        if chunk and times:
            seconds += times * service.iteration_s(Batch(chunk, 0.5 * chunk * chunk, 0, num_seqs, kv_tokens))
    return seconds
