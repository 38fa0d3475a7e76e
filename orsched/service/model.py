"""The service-time model: how long one iteration of a batch takes."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from orsched.service.minorant import Minorant
from orsched.service.piecewise import PiecewiseLinear
from orsched.service.point import OperatingPoint


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
    longest_kv_tokens : float
        KV tokens that the longest of those decodes reads (``M``). Zero when unknown: then all read the mean ``K/B``.
    """

    prompt_tokens: float = 0
    chunk_attention: float = 0.0
    past_tokens: float = 0
    num_seqs: float = 0
    kv_tokens: float = 0
    longest_kv_tokens: float = 0


class ServiceModel(Protocol):
    """Iteration time of a batch on one instance; times in seconds, lengths in tokens."""

    def iteration_s(self, batch: Batch) -> float:
        """Duration of one iteration."""
        ...

    def decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        """Duration of a decode-only iteration of `num_seqs` requests of equal context, against KV tokens read."""
        ...

    def kv_skew(self, num_seqs: float) -> float:
        """Effect of unequal contexts, in [0, 1]; zero for a model that does not know.

        Decodes that read ``K`` tokens, the longest of them ``M``, last as long as decodes of equal contexts that read
        ``K + kv_skew(B) (B M - K)``.
        """
        ...

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """Affine functions that never exceed the iteration time."""
        ...

    def at(self, point: OperatingPoint) -> ServiceModel:
        """Return the same device at another operating point.

        Raises
        ------
        InputError
            When the model does not know how it scales.
        """
        ...

    def power_w(self, batch: Batch) -> float | None:
        """Mean power over the iteration in watts, of the whole instance; None when the model knows none."""
        ...
