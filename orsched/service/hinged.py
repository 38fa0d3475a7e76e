"""The hinged service model: affine terms, a token hinge, chunk attention and mixed-batch KV reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orsched.checks import check_number
from orsched.errors import InputError
from orsched.service.affine import check_coefficients
from orsched.service.minorant import Minorant
from orsched.service.model import Batch
from orsched.service.piecewise import PiecewiseLinear
from orsched.service.point import FULL, OperatingPoint, Scaling, require_scaling
from orsched.service.power import PowerLaw


@dataclass(frozen=True, slots=True)
class Hinged:
    """Iteration time with the kinks a real GPU shows (seconds).

    ``T = base_s + prompt_token_s P + sequence_s B + kv_token_s K + hinge_token_s max(0, P + B - hinge_tokens)
    + chunk_attention_s A + past_token_s past + (mixed_kv_token_s K + mixed_sequence_s B) [P > 0]``

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
    mixed_sequence_s : float
        Extra seconds per decode that shares the iteration with prompt tokens.
    kv_skew_share : float
        `kv_skew` of every batch size, in [0, 1]: where the longest context ``M`` is known, ``K`` above is
        ``K + kv_skew_share (B M - K)``.
    scaling : Scaling, optional
        How it scales with the operating point: `base_s`, `kv_token_s`, `past_token_s` and `mixed_kv_token_s` as memory
        traffic, the rest as arithmetic. The hinge is where arithmetic overtakes the reading of weights and moves along.
    power : PowerLaw, optional
        What it draws.
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
    mixed_sequence_s: float = 0.0
    kv_skew_share: float = 0.0
    scaling: Scaling | None = None
    power: PowerLaw | None = None

    def __post_init__(self) -> None:
        check_coefficients(self)
        if self.base_s <= 0:
            raise InputError(f"Hinged.base_s = {self.base_s!r}: an iteration must take time, give a value > 0")
        check_number(self, "kv_skew_share", most=1.0)

    def iteration_s(self, batch: Batch) -> float:
        """Duration of one iteration, seconds."""
        prompt, attention, past, seqs, kv, longest = batch
        if longest and self.kv_skew_share:
            kv += self.kv_skew_share * max(0.0, seqs * longest - kv)
        time = self.base_s + self.prompt_token_s * prompt + self.sequence_s * seqs + self.kv_token_s * kv
        above = prompt + seqs - self.hinge_tokens
        if above > 0:
            time += self.hinge_token_s * above
        if prompt:
            time += self.chunk_attention_s * attention + self.past_token_s * past
            time += self.mixed_kv_token_s * kv + self.mixed_sequence_s * seqs
        return time

    def decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        """Decode-only iteration time against KV tokens read; linear, the hinge only moves its intercept."""
        return PiecewiseLinear([self.iteration_s(Batch(num_seqs=num_seqs))], [self.kv_token_s])

    def kv_skew(self, num_seqs: float) -> float:
        """Effect of unequal contexts: `kv_skew_share`."""
        return self.kv_skew_share

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """Drop the hinge, or take it as always active.

        ``max(0, x) >= 0`` and ``max(0, x) >= x``; the chunk-attention term is affine in ``A``; the re-read
        and mixed terms and what unequal contexts add are non-negative and dropped. So both are below the iteration time
        everywhere.
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

    def at(self, point: OperatingPoint) -> Hinged:
        """Return the model at another operating point (see `scaling`)."""
        if point == FULL:
            return self
        scaling = require_scaling(self, self.scaling, point)
        compute, memory = scaling.compute(point), scaling.memory(point)
        return replace(
            self,
            base_s=memory * self.base_s,
            prompt_token_s=compute * self.prompt_token_s,
            sequence_s=compute * self.sequence_s,
            kv_token_s=memory * self.kv_token_s,
            hinge_tokens=memory / compute * self.hinge_tokens,
            hinge_token_s=compute * self.hinge_token_s,
            chunk_attention_s=compute * self.chunk_attention_s,
            past_token_s=memory * self.past_token_s,
            mixed_kv_token_s=memory * self.mixed_kv_token_s,
            mixed_sequence_s=compute * self.mixed_sequence_s,
            scaling=None,
            power=self.power and self.power.at(point),
        )

    def power_w(self, batch: Batch) -> float | None:
        """Mean power over the iteration in watts; None without a power law."""
        return None if self.power is None else self.power.power_w(batch, self.iteration_s(batch))
