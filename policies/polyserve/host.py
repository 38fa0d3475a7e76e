"""A kind of server in a tier: how long its iterations take, and how full it may be."""

from __future__ import annotations

from orsched.catalogue import MOST_KV_TOKENS, Hardware
from orsched.service import Batch
from policies.polyserve.chunking import ChunkRule, largest_within


class Host:
    """Iteration times of one kind of server, judged by one tier's time per output token.

    The profile ``T(B, K)`` of the paper is the instance's own service model: what the paper's profile was measured on
    is not known to us. It is asked for the mean context (`Batch.longest_kv_tokens` left out).

    Parameters
    ----------
    hardware : Hardware
        The instance.
    tpot_s : float
        Time per output token of the tier, seconds.
    chunks : ChunkRule, optional
        How prompts are cut there; None where none are processed.
    kv_test : bool
        Whether the KV tokens at their peak must fit into the memory.

    Attributes
    ----------
    shortest_s : float
        What an iteration takes at least, seconds.
    """

    __slots__ = ("_largest", "_service", "chunks", "most_tokens", "seats", "shortest_s", "tpot_s")

    def __init__(self, hardware: Hardware, tpot_s: float, chunks: ChunkRule | None, kv_test: bool) -> None:
        self._service = hardware.service
        self.tpot_s = tpot_s
        self.chunks = chunks
        self.seats = hardware.max_num_seqs
        blocks = hardware.kv_capacity_tokens // hardware.block_tokens
        self.most_tokens = blocks * hardware.block_tokens if kv_test else MOST_KV_TOKENS
        self.shortest_s = self.decode_s(1, 0)
        self._largest: dict[int, int] = {}

    def largest_kv_tokens(self, seqs: int) -> int:
        """Most KV tokens with which `seqs` requests decode in time; -1 when they do not in any case.

        Test (c): ``T(B, K) <= TPOT``; the test of the memory; and, where prompts are cut to fit, that the least chunk
        fits beside all but the newest request, so that no prompt has to stand still (ours).
        """
        found = self._largest.get(seqs)
        if found is None:
            found = self._largest[seqs] = self._find_largest(seqs)
        return found

    def _find_largest(self, seqs: int) -> int:
        if seqs > self.seats:
            return -1
        most = largest_within(lambda kv: self.decode_s(seqs, kv), self.tpot_s, 0, self.most_tokens)
        kept = 0 if self.chunks is None else self.chunks.kept_tokens
        if kept:
            most = largest_within(lambda kv: self.mixed_s(kept, seqs - 1, kv), self.tpot_s, 0, most)
        return most

    def decode_s(self, seqs: int, kv_tokens: int) -> float:
        """Duration of an iteration that only decodes, seconds."""
        return self._service.iteration_s(Batch(0, 0.0, 0, seqs, kv_tokens))

    def mixed_s(self, chunk: int, seqs: int, kv_tokens: int) -> float:
        """Duration of an iteration with a chunk of prompt, seconds; what the chunk's past adds is left out.

        The paper leaves the attention of chunks out of its profile, as it is small below 10,000 tokens of context; here
        it counts within the chunk.
        """
        return self._service.iteration_s(Batch(chunk, 0.5 * chunk * chunk, 0, seqs, kv_tokens))
