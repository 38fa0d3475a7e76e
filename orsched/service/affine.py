"""The affine service model: exact for the theory, a first approximation for a GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from orsched.errors import InputError
from orsched.service.minorant import Minorant
from orsched.service.model import FULL, Batch, OperatingPoint
from orsched.service.piecewise import PiecewiseLinear


def check_coefficients(model: object) -> None:
    """Refuse a service model (a dataclass of floats) with a negative or non-finite coefficient."""
    for field in fields(model):  # type: ignore[arg-type]
        value = getattr(model, field.name)
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{type(model).__name__}.{field.name} = {value!r}: must be finite and >= 0")


def require_full(model: object, point: OperatingPoint) -> None:
    """Refuse an operating point other than the whole device: these models are calibrated for that alone."""
    if point is not FULL and point != FULL:
        raise InputError(
            f"{type(model).__name__} is calibrated for the whole device at full clock, not for {point}; "
            "use OperatingPoint()"
        )


@dataclass(frozen=True, slots=True)
class Affine:
    """``T = base_s + prompt_token_s P + sequence_s B + kv_token_s K`` (seconds).

    Parameters
    ----------
    base_s : float
        Fixed overhead of an iteration.
    prompt_token_s, sequence_s, kv_token_s : float
        Per prompt token, per decoding request, per KV token read.

    Notes
    -----
    WAIT's ``d0 + d1 * KV`` (arXiv 2504.11320, section 2) is `Affine.wait(d0, d1)`.
    """

    base_s: float
    prompt_token_s: float
    sequence_s: float
    kv_token_s: float

    def __post_init__(self) -> None:
        check_coefficients(self)
        if self.base_s <= 0:
            raise InputError(f"Affine.base_s = {self.base_s!r}: an iteration must take time, give a value > 0")

    @classmethod
    def wait(cls, d0: float, d1: float) -> Affine:
        """WAIT's linear model: `d0` seconds an iteration and `d1` seconds per KV token held after it."""
        return cls(d0, d1, d1, d1)

    def iteration_s(self, batch: Batch, point: OperatingPoint = FULL) -> float:
        """Duration of one iteration, seconds."""
        require_full(self, point)
        return (
            self.base_s
            + self.prompt_token_s * batch.prompt_tokens
            + self.sequence_s * batch.num_seqs
            + self.kv_token_s * batch.kv_tokens
        )

    def decode_curve(self, num_seqs: int, point: OperatingPoint = FULL) -> PiecewiseLinear:
        """Decode-only iteration time against KV tokens read."""
        require_full(self, point)
        return PiecewiseLinear([self.base_s + self.sequence_s * num_seqs], [self.kv_token_s])

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """The model itself: it is affine."""
        return (Minorant(self.base_s, self.prompt_token_s, self.sequence_s, self.kv_token_s),)

    def power_w(self, batch: Batch, point: OperatingPoint = FULL) -> float | None:
        """None: this form says nothing about power."""
        return None
