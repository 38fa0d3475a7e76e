"""The hinged service model: affine terms, a token hinge, chunk attention and mixed-batch KV reads."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.errors import InputError
from orsched.service.affine import check_coefficients, require_full
from orsched.service.minorant import Minorant
from orsched.service.model import FULL, Batch, OperatingPoint
from orsched.service.piecewise import PiecewiseLinear


@dataclass(frozen=True, slots=True)
class Hinged:
    """Iteration time with the kinks a real GPU shows (seconds).

    ``T = base_s + prompt_token_s P + sequence_s B + kv_token_s K + hinge_token_s max(0, P + B - hinge_tokens)
    + chunk_attention_s A + past_token_s past + mixed_kv_token_s K [P > 0]``

    with ``P, A, past, B, K`` the fields of `orsched.service.Batch`. Below the hinge the matrix products are
    bound by reading weights, above it by arithmetic.

    Parameters
    ----------
    base_s, prompt_token_s, sequence_s, kv_token_s : float
        The affine terms.
    hinge_tokens : float
        Tokens in the batch above which each token costs `hinge_token_s` more.
    hinge_token_s : float
        Extra seconds per token above the hinge.
    chunk_attention_s : float
        Seconds per ``p (past + p/2)``, token squared.
    past_token_s : float
        Seconds per cached token that a prompt chunk re-reads.
    mixed_kv_token_s : float
        Extra seconds per KV token read by decodes that share the iteration with prompt tokens.
    """

    base_s: float
    prompt_token_s: float
    sequence_s: float
    kv_token_s: float
    hinge_tokens: float = 0.0
    hinge_token_s: float = 0.0
    chunk_attention_s: float = 0.0
    past_token_s: float = 0.0
    mixed_kv_token_s: float = 0.0

    def __post_init__(self) -> None:
        check_coefficients(self)
        if self.base_s <= 0:
            raise InputError(f"Hinged.base_s = {self.base_s!r}: an iteration must take time, give a value > 0")

    def iteration_s(self, batch: Batch, point: OperatingPoint = FULL) -> float:
        """Duration of one iteration, seconds."""
        require_full(self, point)
        prompt, attention, past, seqs, kv = batch
        time = self.base_s + self.prompt_token_s * prompt + self.sequence_s * seqs + self.kv_token_s * kv
        above = prompt + seqs - self.hinge_tokens
        if above > 0:
            time += self.hinge_token_s * above
        if prompt:
            time += self.chunk_attention_s * attention + self.past_token_s * past + self.mixed_kv_token_s * kv
        return time

    def decode_curve(self, num_seqs: int, point: OperatingPoint = FULL) -> PiecewiseLinear:
        """Decode-only iteration time against KV tokens read; linear, the hinge only moves its intercept."""
        return PiecewiseLinear([self.iteration_s(Batch(num_seqs=num_seqs), point)], [self.kv_token_s])

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """Drop the hinge, or take it as always active.

        ``max(0, x) >= 0`` and ``max(0, x) >= x``; the chunk-attention term is affine in ``A``; the re-read
        and mixed terms are non-negative and dropped. So both are below the iteration time everywhere.
        """
        flat = Minorant(self.base_s, self.prompt_token_s, self.sequence_s, self.kv_token_s, self.chunk_attention_s)
        if self.hinge_token_s == 0:
            return (flat,)
        steep = Minorant(
            self.base_s - self.hinge_token_s * self.hinge_tokens,
            self.prompt_token_s + self.hinge_token_s,
            self.sequence_s + self.hinge_token_s,
            self.kv_token_s,
            self.chunk_attention_s,
        )
        return (flat, steep)

    def power_w(self, batch: Batch, point: OperatingPoint = FULL) -> float | None:
        """None: this form says nothing about power."""
        return None
