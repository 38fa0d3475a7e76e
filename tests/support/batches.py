"""Random batches, and what an affine minorant says of one."""

from __future__ import annotations

from hypothesis import strategies as st

from orsched.service import Batch, Minorant


def batches(most_tokens: int, most_chunks: int, most_seqs: int, most_context: int) -> st.SearchStrategy[Batch]:
    """Batches of chunks with a past beside decodes of equal contexts; empty ones too."""
    chunk = st.tuples(st.integers(1, most_tokens), st.integers(0, most_tokens))
    return st.builds(
        lambda chunks, seqs, context: Batch(
            sum(p for p, _ in chunks),
            sum(p * (past + p / 2) for p, past in chunks),
            sum(past for _, past in chunks),
            seqs,
            seqs * context,
        ),
        st.lists(chunk, max_size=most_chunks),
        st.integers(0, most_seqs),
        st.integers(1, most_context),
    )


def value(minorant: Minorant, batch: Batch) -> float:
    """Lower bound of the iteration time of `batch`, seconds."""
    return (
        minorant.base_s
        + minorant.prompt_token_s * batch.prompt_tokens
        + minorant.sequence_s * batch.num_seqs
        + minorant.kv_token_s * batch.kv_tokens
        + minorant.chunk_attention_s * batch.chunk_attention
    )
