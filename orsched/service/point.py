"""The operating point of an execution lane, and how iteration times scale with it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from orsched.checks import check_number, require_number
from orsched.errors import InputError


class OperatingPoint(NamedTuple):
    """How an execution lane runs: its share of the streaming multiprocessors and of the full clock.

    The neutral point ``OperatingPoint()`` is the whole device at full clock.
    """

    sm_share: float = 1.0
    clock_share: float = 1.0


FULL = OperatingPoint()


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the parts of an iteration stretch at another operating point.

    On a share ``s`` of the streaming multiprocessors (SMs) a part takes ``((1 + (c/s)^k) / (1 + c^k))^(1/k)`` times as
    long, where ``c`` is the share at which what the SMs limit takes as long as what they do not limit (bandwidth, the
    power limit, launches), and ``k`` how sharply one gives way to the other. One at the whole device, ``~ 1/s`` when
    few SMs are left, never below one. ``k = inf`` is the hard limit ``max(1, c/s) / max(1, c)``; ``c = inf`` is
    ``1/s``. A clock of ``f`` stretches a part ``f^-exponent`` times. What the host does is not scaled.

    Parameters
    ----------
    saturation_share : float
        ``c`` of memory traffic, > 0: about the share of the SMs that draws the full bandwidth.
    compute_share : float
        ``c`` of arithmetic, > 0. Infinite: arithmetic slows down as ``1/s``.
    sharpness : float
        ``k >= 1``, of both parts.
    compute_exponent, memory_exponent : float
        Exponent ``beta`` of the clock law ``T ~ f^-beta`` of each part, in [0, 1].
    source : str
        Where the numbers come from; an assumption says so.

    Notes
    -----
    The shape is ours; docs/energy.md compares it with simpler ones on measured times.

    Examples
    --------
    >>> ideal = Scaling(saturation_share=0.5)
    >>> half = OperatingPoint(sm_share=0.25)
    >>> ideal.compute(half), ideal.memory(half)
    (4.0, 2.0)
    """

    saturation_share: float
    compute_share: float = math.inf
    sharpness: float = math.inf
    compute_exponent: float = 1.0
    memory_exponent: float = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        check_number(self, "saturation_share", above=True, finite=False)
        check_number(self, "compute_share", above=True, finite=False)
        check_number(self, "sharpness", least=1.0, finite=False)
        check_number(self, "compute_exponent", most=1.0)
        check_number(self, "memory_exponent", most=1.0)

    def compute(self, point: OperatingPoint) -> float:
        """Return the factor on compute-bound time."""
        factor = stretch(point.sm_share, self.compute_share, self.sharpness)
        return factor / float(point.clock_share**self.compute_exponent)

    def memory(self, point: OperatingPoint) -> float:
        """Return the factor on memory-bound time."""
        factor = stretch(point.sm_share, self.saturation_share, self.sharpness)
        return factor / float(point.clock_share**self.memory_exponent)


def stretch(sm_share: float, saturation: float, sharpness: float) -> float:
    """Return ``((1 + (c/s)^k) / (1 + c^k))^(1/k)``, the factor on time at a share ``s`` of the SMs (see `Scaling`).

    Parameters
    ----------
    sm_share : float
        ``s``, in (0, 1].
    saturation : float
        ``c > 0``, may be infinite.
    sharpness : float
        ``k >= 1``, may be infinite.
    """
    if saturation == math.inf:
        return 1.0 / sm_share
    if sharpness == math.inf:
        return max(1.0, saturation / sm_share) / max(1.0, saturation)
    # In logarithms, so that no power overflows: log(1 + e^x) is exact for large x, too.
    log_c, log_s = math.log(saturation), math.log(sm_share)
    return math.exp((_softplus(sharpness * (log_c - log_s)) - _softplus(sharpness * log_c)) / sharpness)


def _softplus(x: float) -> float:
    """``log(1 + e^x)``."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def require_scaling(model: object, scaling: Scaling | None, point: OperatingPoint) -> Scaling:
    """Return the scaling of a model that is asked for `point`.

    Raises
    ------
    InputError
        When a share is outside (0, 1], or the model was calibrated for the whole device only.
    """
    require_number("OperatingPoint.sm_share", point.sm_share, above=True, most=1.0)
    require_number("OperatingPoint.clock_share", point.clock_share, above=True, most=1.0)
    if scaling is None:
        raise InputError(
            f"{type(model).__name__} is calibrated for the whole device at full clock, not for {point}; "
            "use OperatingPoint(), or give the model a Scaling"
        )
    return scaling
