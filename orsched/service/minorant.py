"""Affine lower bounds of an iteration time; the bounds are built on these."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.work import Floats, RequestWork


@dataclass(frozen=True, slots=True)
class Minorant:
    """``T >= base_s + prompt_token_s P + sequence_s B + kv_token_s K + chunk_attention_s A``.

    Valid for every batch with at least one request in it. ``base_s`` may be negative (the active side
    of a hinge); the other coefficients are not. `P`, `B`, `K`, `A` as in `orsched.service.Batch`.
    """

    base_s: float
    prompt_token_s: float
    sequence_s: float
    kv_token_s: float
    chunk_attention_s: float = 0.0

    def work_s(self, work: RequestWork) -> Floats:
        """Each request's own share of iteration time, without `base_s`; seconds, shape ``(n,)``.

        Summing the minorant over all iterations of a schedule without recomputation gives at least
        ``sum(work_s)`` plus ``base_s`` per iteration. With it too, as long as prefilling ``n + 1`` tokens costs
        no less than the decode it replaces; `fluid.pathwise.minorants.recompute_proof` (`reuse_proof` where preempted
        KV is retained) lowers a minorant until it does.
        """
        return (
            self.prompt_token_s * work.prompt_tokens
            + self.sequence_s * work.decode_iterations
            + self.kv_token_s * work.kv_reads
            + self.chunk_attention_s * work.chunk_attention
        )
