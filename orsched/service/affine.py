"""The affine service model: exact for the theory, a first approximation for a GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from orsched.checks import as_python
from orsched.errors import InputError
from orsched.service.minorant import Minorant
from orsched.service.model import Batch
from orsched.service.piecewise import PiecewiseLinear
from orsched.service.point import FULL, OperatingPoint, Scaling, require_scaling
from orsched.service.power import PowerLaw

_NO_COEFFICIENTS = ("scaling", "power")


def check_coefficients(model: object) -> None:
    """Refuse a service model (a dataclass of floats) with a negative or non-finite coefficient."""
    for field in fields(model):  # type: ignore[arg-type]
        value = getattr(model, field.name)
        if field.name not in _NO_COEFFICIENTS and not (math.isfinite(value) and value >= 0):
            raise InputError(f"{type(model).__name__}.{field.name} = {value!r}: must be finite and >= 0")
        as_python(model, field.name)


@dataclass(frozen=True, slots=True)
class Affine:
    """``T = base_s + prompt_token_s P + sequence_s B + kv_token_s K`` (seconds).

    Parameters
    ----------
    base_s : float
        Fixed overhead of an iteration.
    prompt_token_s, sequence_s, kv_token_s : float
        Per prompt token, per decoding request, per KV token read.
    scaling : Scaling, optional
        How it scales with the operating point: `base_s` and `kv_token_s` as memory traffic, the rest as arithmetic.
    power : PowerLaw, optional
        What it draws.

    Notes
    -----
    WAIT's ``d0 + d1 * KV`` (arXiv 2504.11320, section 2) is `Affine.wait(d0, d1)`.
    """

    base_s: float
    prompt_token_s: float
    sequence_s: float
    kv_token_s: float
    scaling: Scaling | None = None
    power: PowerLaw | None = None

    def __post_init__(self) -> None:
        check_coefficients(self)
        if self.base_s <= 0:
            raise InputError(f"Affine.base_s = {self.base_s!r}: an iteration must take time, give a value > 0")

    @classmethod
    def wait(cls, d0: float, d1: float) -> Affine:
        """WAIT's linear model: `d0` seconds an iteration and `d1` seconds per KV token held after it."""
        return cls(d0, d1, d1, d1)

    def iteration_s(self, batch: Batch) -> float:
        """Duration of one iteration, seconds."""
        return (
            self.base_s
            + self.prompt_token_s * batch.prompt_tokens
            + self.sequence_s * batch.num_seqs
            + self.kv_token_s * batch.kv_tokens
        )

    def decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        """Decode-only iteration time against KV tokens read."""
        return PiecewiseLinear([self.base_s + self.sequence_s * num_seqs], [self.kv_token_s])

    def kv_skew(self, num_seqs: float) -> float:
        """0: this form knows the sum of the contexts only."""
        return 0.0

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """The model itself: it is affine."""
        return (Minorant(self.base_s, self.prompt_token_s, self.sequence_s, self.kv_token_s),)

    def at(self, point: OperatingPoint) -> Affine:
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
            scaling=None,
            power=self.power and self.power.at(point),
        )

    def power_w(self, batch: Batch) -> float | None:
        """Mean power over the iteration in watts; None without a power law."""
        return None if self.power is None else self.power.power_w(batch, self.iteration_s(batch))
