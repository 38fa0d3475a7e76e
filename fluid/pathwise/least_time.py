"""A service model that is as fast as several at once: the largest of common affine lower bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import reduce
from itertools import product

from orsched.errors import InputError
from orsched.service import Batch, Minorant, OperatingPoint, PiecewiseLinear, ServiceModel
from orsched.service.roofline.pieces import upper_envelope

MOST_MINORANTS = 12
"""Most common lower bounds that are kept; those of the service models are two or three each."""


@dataclass(frozen=True, slots=True)
class LeastTime:
    """The largest of some affine functions: no iteration of any of the devices that it stands for is faster.

    Parameters
    ----------
    minorants : tuple of Minorant
        At least one.
    """

    minorants: tuple[Minorant, ...]

    @classmethod
    def of(cls, models: Sequence[ServiceModel]) -> LeastTime:
        """The lower bounds that several service models have in common.

        Let ``T_k >= m_k`` for a minorant m_k of each model k, in every batch. The least of each coefficient over k
        makes an affine function that is below every m_k, because what it multiplies (one, tokens, requests) is not
        negative. So it is below every T_k. That holds for each way to choose one minorant per model; those that
        another one exceeds in no coefficient are left out, and of more than `MOST_MINORANTS` all but the largest in
        each coefficient. Any subset is valid. The models are taken in the order of their coefficients, so that theirs
        in `models` does not matter.
        """
        kinds = {tuple(sorted(model.affine_minorants(), key=astuple)) for model in models}
        ordered = sorted(kinds, key=lambda minorants: [astuple(m) for m in minorants])
        return cls(reduce(_common, ordered))

    def iteration_s(self, batch: Batch) -> float:
        """Lower bound on the duration of one iteration, seconds."""
        return max(
            m.base_s
            + m.prompt_token_s * batch.prompt_tokens
            + m.sequence_s * batch.num_seqs
            + m.kv_token_s * batch.kv_tokens
            + m.chunk_attention_s * batch.chunk_attention
            for m in self.minorants
        )

    def decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        """The same for decodes only, against KV tokens read."""
        pieces = upper_envelope((m.base_s + m.sequence_s * num_seqs, m.kv_token_s) for m in self.minorants)
        intercepts, slopes = zip(*pieces.segments, strict=True)
        return PiecewiseLinear(intercepts, slopes, pieces.breaks)

    def kv_skew(self, num_seqs: float) -> float:
        """0: unequal contexts may cost nothing."""
        return 0.0

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """What it is made of."""
        return self.minorants

    def at(self, point: OperatingPoint) -> LeastTime:
        """Refuse: several devices do not scale as one."""
        raise InputError("the least time of several devices has no operating points")

    def power_w(self, batch: Batch) -> float | None:
        """None: it is about times."""
        return None


def _common(first: tuple[Minorant, ...], second: tuple[Minorant, ...]) -> tuple[Minorant, ...]:
    """Lower bounds of what has both kinds of lower bounds."""
    found = dict.fromkeys(Minorant(*map(min, astuple(a), astuple(b))) for a, b in product(first, second))
    kept = [m for m in found if not any(other != m and _covers(other, m) for other in found)]
    if len(kept) > MOST_MINORANTS:
        kept = list(dict.fromkeys(max(kept, key=lambda m: astuple(m)[place]) for place in range(5)))
    return tuple(kept)


def _covers(high: Minorant, low: Minorant) -> bool:
    return all(a >= b for a, b in zip(astuple(high), astuple(low), strict=True))
