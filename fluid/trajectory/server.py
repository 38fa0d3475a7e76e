"""The limits of a server that follows the fluid path."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.errors import InputError
from orsched.service import ServiceModel


@dataclass(frozen=True, slots=True)
class TokenBudgetServer:
    """A mixed-batch, non-idling, first-come-first-served instance with one token budget per iteration.

    Parameters
    ----------
    service : ServiceModel
        Iteration times.
    kv_capacity_tokens : float
        C.
    max_num_seqs : float
        Most requests in an iteration.
    max_num_batched_tokens : float
        Token budget of an iteration; a decode takes one. At least `max_num_seqs`.
    watermark : float
        Share of the KV memory that an admission leaves free.
    block_tokens : int
        KV allocation unit. A request is taken to waste ``(block_tokens - 1) / 2`` tokens in its last block.
    """

    service: ServiceModel
    kv_capacity_tokens: float
    max_num_seqs: float
    max_num_batched_tokens: float
    watermark: float = 0.0
    block_tokens: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.max_num_seqs <= self.max_num_batched_tokens:
            raise InputError(
                f"TokenBudgetServer: need 0 < max_num_seqs <= max_num_batched_tokens, got {self.max_num_seqs!r} "
                f"and {self.max_num_batched_tokens!r}"
            )
        if not (self.kv_capacity_tokens > 0 and self.block_tokens >= 1 and 0 <= self.watermark < 1):
            raise InputError(
                f"TokenBudgetServer: need kv_capacity_tokens > 0, block_tokens >= 1 and 0 <= watermark < 1, got "
                f"{self.kv_capacity_tokens!r}, {self.block_tokens!r} and {self.watermark!r}"
            )

    @property
    def waste_tokens(self) -> float:
        """Mean unused tokens in a request's last block."""
        return (self.block_tokens - 1) / 2
