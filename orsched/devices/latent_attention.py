"""Multi-head latent attention (MLA): low-rank projections, and one latent vector cached per token."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.checks import check_whole


@dataclass(frozen=True, slots=True)
class LatentAttention:
    """Ranks and head sizes of multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1).

    Parameters
    ----------
    query_rank : int
        Rank of the query projection.
    kv_rank : int
        Length of the latent vector that is cached in place of keys and values.
    rope_dim : int
        Length of the key part that carries the position and is cached beside the latent vector.
    nope_dim, value_dim : int
        Length of a head's key part without position, and of its value.
    """

    query_rank: int
    kv_rank: int
    rope_dim: int
    nope_dim: int
    value_dim: int

    def __post_init__(self) -> None:
        for field in ("query_rank", "kv_rank", "rope_dim", "nope_dim", "value_dim"):
            check_whole(self, field)

    @property
    def cached(self) -> int:
        """Numbers cached per token and layer."""
        return self.kv_rank + self.rope_dim

    def projections(self, hidden: int, heads: int) -> int:
        """Return the parameters of all projections of a layer."""
        query = hidden * self.query_rank + self.query_rank * heads * (self.nope_dim + self.rope_dim)
        latent = hidden * self.cached + self.kv_rank * heads * (self.nope_dim + self.value_dim)
        return query + latent + heads * self.value_dim * hidden

    def shared_projections(self, hidden: int) -> int:
        """Return the parameters of a layer that every GPU of a group has: the projections to latent vectors."""
        return hidden * (self.query_rank + self.cached)

    def expansion_flops(self, heads: int) -> int:
        """FLOPs to expand one cached latent vector into keys and values, as a chunk does with its past."""
        return 2 * self.kv_rank * heads * (self.nope_dim + self.value_dim)

    def prefill_pair_flops(self, heads: int) -> int:
        """FLOPs for one query token and one key token with keys and values expanded, as prefill does."""
        return 2 * heads * (self.nope_dim + self.rope_dim + self.value_dim)

    def decode_pair_flops(self, heads: int) -> int:
        """FLOPs for one query token and one key token on the latent vectors themselves, as decode does."""
        return 2 * heads * (self.cached + self.kv_rank)
