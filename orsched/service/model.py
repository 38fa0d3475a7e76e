"""The service-time model: how long one iteration of a batch takes."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from orsched.service.minorant import Minorant
from orsched.service.piecewise import PiecewiseLinear


class Batch(NamedTuple):
    """What one iteration works on. The engine fills it with whole numbers; fluid models also with means.

    Parameters
    ----------
    prompt_tokens : float
        Prompt tokens processed, over all chunks (``P``).
    chunk_attention : float
        ``sum p (past + p/2)`` over the chunks, tokens squared (``A``).
    past_tokens : float
        Tokens already cached for the requests whose chunks are processed.
    num_seqs : float
        Decoding requests (``B``).
    kv_tokens : float
        KV tokens those decodes read (``K``).
    """

    prompt_tokens: float = 0
    chunk_attention: float = 0.0
    past_tokens: float = 0
    num_seqs: float = 0
    kv_tokens: float = 0


class OperatingPoint(NamedTuple):
    """How an execution lane runs: its share of the streaming multiprocessors and of the full clock.

    The neutral point ``OperatingPoint()`` is the whole device at full clock.
    """

    sm_share: float = 1.0
    clock_share: float = 1.0


FULL = OperatingPoint()


class ServiceModel(Protocol):
    """Iteration time of a batch on one instance; times in seconds, lengths in tokens."""

    def iteration_s(self, batch: Batch, point: OperatingPoint = FULL) -> float:
        """Duration of one iteration."""
        ...

    def decode_curve(self, num_seqs: int, point: OperatingPoint = FULL) -> PiecewiseLinear:
        """Duration of a decode-only iteration of `num_seqs` requests as a function of KV tokens read."""
        ...

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """Affine functions that never exceed the iteration time at the neutral operating point."""
        ...

    def power_w(self, batch: Batch, point: OperatingPoint = FULL) -> float | None:
        """Mean power over the iteration in watts; None when the model knows none."""
        ...
